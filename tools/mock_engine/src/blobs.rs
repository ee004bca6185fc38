//! Blobs with commitments and proofs that verify, without a trusted setup of 4096 points.
//!
//! The polynomial of a blob here is `a + x` with a random `a`. Its commitment is then `a` times the generator, which is
//! what BLS calls the public key of `a`, plus the setup's second point. The quotient of an opening anywhere is the
//! constant 1, so that the proof of the blob is the generator itself; and since cells are openings at 64 points and the
//! polynomial's degree is below 64, the proof of each cell is the point at infinity. All values of such a blob differ,
//! so that a blob whose cells are mixed up does not verify.

use std::sync::OnceLock;

use crypto::{PublicKey, SecretKey, eth_aggregate_pubkeys, hash};
use rand::RngCore;
use types::constants::VERSIONED_HASH_VERSION_KZG;
use types::{Bytes, FixedBytes, KzgCommitment, KzgProof, Root};

/// The field elements of a blob.
const ELEMENTS: usize = 4096;
/// The cells of an extended blob.
const CELLS: usize = 128;
/// The gas of a blob.
pub(crate) const GAS_PER_BLOB: u64 = 1 << 17;

/// The field's order, most significant limb first.
const ORDER: Fr =
    Fr([0x73ed_a753_299d_7d48, 0x3339_d808_09a1_d805, 0x53bd_a402_fffe_5bfe, 0xffff_ffff_0000_0001]);
/// A root of unity of order 4096: 7 to the power of the 4096th part of the field's order less one.
const ROOT_OF_UNITY: Fr =
    Fr([0x564c_0a11_a0f7_04f4, 0xfc3e_8acf_e0f8_245f, 0x0ad1_347b_378f_bf96, 0xe206_da11_a5d3_6306]);

/// The generator of G1.
const GENERATOR: &str =
    "0x97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb";
/// The secret of the mainnet ceremony times the generator: the second monomial point of the trusted setup.
const SECOND_POINT: &str =
    "0xad3eb50121139aa34db1d545093ac9374ab7bca2c0f3bf28e27c8dcd8fc7cb42d25926fc0c97b336e9f0fb35e5a04c81";

/// A blob with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockBlob {
    /// The blob.
    pub blob: Bytes,
    /// Its commitment.
    pub commitment: KzgCommitment,
    /// The proof of the whole blob.
    pub proof: KzgProof,
    /// The proofs of its cells.
    pub cell_proofs: Vec<KzgProof>,
    /// The hash that transactions name it by.
    pub versioned_hash: Root,
}

/// A blob drawn from `random`.
pub fn random_blob(random: &mut impl RngCore) -> MockBlob {
    let (scalar, key) = loop {
        let mut bytes = [0; 32];
        random.fill_bytes(&mut bytes);
        // Half of all numbers of 32 bytes are below the order, a quarter more with the top bit cleared.
        bytes[0] &= 0x7f;
        if let Ok(key) = SecretKey::from_bytes(&bytes) {
            break (Fr::from_bytes(&bytes), key.public_key());
        }
    };
    let second =
        PublicKey::from_compressed(&point(SECOND_POINT).0).expect("a constant point of the subgroup");
    let commitment = eth_aggregate_pubkeys(&[key, second]).expect("two points have a sum").compress();
    let blob = roots_of_unity().iter().flat_map(|root| scalar.plus(root).to_bytes()).collect();
    let mut versioned_hash = hash(&commitment);
    versioned_hash[0] = VERSIONED_HASH_VERSION_KZG;
    MockBlob {
        blob: Bytes(blob),
        commitment: FixedBytes(commitment),
        proof: point(GENERATOR),
        cell_proofs: vec![infinity(); CELLS],
        versioned_hash: Root::from(versioned_hash),
    }
}

fn point(text: &str) -> FixedBytes<48> {
    text.parse().expect("a constant of 48 bytes")
}

fn infinity() -> KzgProof {
    let mut bytes = [0; 48];
    bytes[0] = 0xc0;
    FixedBytes(bytes)
}

/// The points that a blob is given at: the roots of unity, their places' bits reversed.
fn roots_of_unity() -> &'static [Fr] {
    static ROOTS: OnceLock<Vec<Fr>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut powers = vec![Fr([0, 0, 0, 1])];
        for at in 1..ELEMENTS {
            powers.push(powers[at - 1].times(&ROOT_OF_UNITY));
        }
        let bits = ELEMENTS.trailing_zeros();
        (0..ELEMENTS as u32).map(|at| powers[(at.reverse_bits() >> (32 - bits)) as usize]).collect()
    })
}

/// An element of the scalar field, most significant limb first. What little arithmetic is needed here need not be fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fr([u64; 4]);

impl Fr {
    fn from_bytes(bytes: &[u8; 32]) -> Self {
        let limb = |at: usize| u64::from_be_bytes(bytes[at * 8..at * 8 + 8].try_into().expect("eight bytes"));
        Self([limb(0), limb(1), limb(2), limb(3)])
    }

    fn to_bytes(self) -> Vec<u8> {
        self.0.iter().flat_map(|limb| limb.to_be_bytes()).collect()
    }

    /// The sum. Both are below the order, which is below 2^255, so that nothing is carried out of the top.
    fn plus(&self, other: &Self) -> Self {
        let (mut sum, mut carry) = ([0; 4], 0);
        for at in (0..4).rev() {
            let limbs = u128::from(self.0[at]) + u128::from(other.0[at]) + carry;
            sum[at] = limbs as u64;
            carry = limbs >> 64;
        }
        let sum = Self(sum);
        if sum >= ORDER { sum.minus_order() } else { sum }
    }

    fn minus_order(&self) -> Self {
        let (mut difference, mut borrow) = ([0; 4], false);
        for at in (0..4).rev() {
            let (limb, first) = self.0[at].overflowing_sub(ORDER.0[at]);
            let (limb, second) = limb.overflowing_sub(u64::from(borrow));
            difference[at] = limb;
            borrow = first || second;
        }
        Self(difference)
    }

    /// The product, by doubling and adding.
    fn times(&self, other: &Self) -> Self {
        let mut product = Self([0; 4]);
        for limb in other.0 {
            for bit in (0..64).rev() {
                product = product.plus(&product);
                if limb >> bit & 1 == 1 {
                    product = product.plus(self);
                }
            }
        }
        product
    }
}

#[cfg(test)]
mod tests {
    use data_availability::kzg;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_root_of_unity_has_the_order_that_it_should() {
        let roots = roots_of_unity();
        let one = Fr([0, 0, 0, 1]);
        assert_eq!(roots[0], one);
        // The second place, its bits reversed, is the middle of the order: minus one.
        assert_eq!(roots[1].plus(&one), Fr([0; 4]));
        let last = roots.iter().filter(|root| **root == ROOT_OF_UNITY).count();
        assert_eq!(last, 1);
        let mut sorted = roots.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), ELEMENTS);
    }

    #[test]
    fn commitments_and_proofs_verify_under_the_real_trusted_setup() {
        let blob = random_blob(&mut ChaCha8Rng::seed_from_u64(3));
        assert_eq!(kzg::blob_to_kzg_commitment(&blob.blob.0).unwrap(), blob.commitment);
        assert_eq!(kzg::compute_blob_kzg_proof(&blob.blob.0, &blob.commitment).unwrap(), blob.proof);
        let kzg::CellsAndKzgProofs { cells, proofs } =
            kzg::compute_cells_and_kzg_proofs(&blob.blob.0).unwrap();
        assert_eq!(proofs, blob.cell_proofs);
        // All cells differ, so that mixed up ones are found out.
        let distinct: std::collections::BTreeSet<&[u8]> =
            cells.iter().map(|cell| cell.0.as_slice()).collect();
        assert_eq!(distinct.len(), CELLS);
    }

    #[test]
    fn blobs_are_canonical_and_of_the_seed() {
        let draw = |seed| random_blob(&mut ChaCha8Rng::seed_from_u64(seed));
        let blob = draw(1);
        assert_eq!(blob, draw(1));
        assert_ne!(blob.commitment, draw(2).commitment);
        assert_eq!((blob.blob.0.len(), blob.cell_proofs.len()), (131_072, 128));
        for element in blob.blob.0.chunks_exact(32) {
            assert!(Fr::from_bytes(element.try_into().unwrap()) < ORDER);
        }
        assert_eq!(blob.versioned_hash.0[0], 1);
        assert_eq!(blob.versioned_hash.0[1..], hash(&blob.commitment.0)[1..]);
    }
}
