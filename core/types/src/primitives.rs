//! The custom types of the specification that are numbers: `Slot`, `Epoch`, `Gwei`, indices.
//!
//! Each is a type of its own, so that a slot cannot be handed where an epoch is wanted. Arithmetic works with
//! the same type and with plain `u64`, and panics on overflow (a bug; the specification forbids it).

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Rem, Sub, SubAssign};

use crate::Spec;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// As an index into a slice.
            pub fn as_usize(self) -> usize {
                self.0 as usize
            }

            /// The difference, or zero where `other` is larger.
            pub fn saturating_sub(self, other: impl Into<Self>) -> Self {
                Self(self.0.saturating_sub(other.into().0))
            }

            /// The sum, or the largest value where it does not fit.
            pub fn saturating_add(self, other: impl Into<Self>) -> Self {
                Self(self.0.saturating_add(other.into().0))
            }
        }

        impl From<u64> for $name {
            fn from(value: u64) -> Self {
                Self(value)
            }
        }

        impl From<$name> for u64 {
            fn from(value: $name) -> u64 {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(text.parse()?))
            }
        }

        impl PartialEq<u64> for $name {
            fn eq(&self, other: &u64) -> bool {
                self.0 == *other
            }
        }

        impl PartialOrd<u64> for $name {
            fn partial_cmp(&self, other: &u64) -> Option<std::cmp::Ordering> {
                self.0.partial_cmp(other)
            }
        }

        impl AddAssign<u64> for $name {
            fn add_assign(&mut self, other: u64) {
                self.0 += other;
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }

        impl SubAssign<u64> for $name {
            fn sub_assign(&mut self, other: u64) {
                self.0 -= other;
            }
        }

        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }

        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                Self(iter.map(|x| x.0).sum())
            }
        }

        number!(@op $name Add add, Sub sub, Mul mul, Div div, Rem rem);
        ssz::number_ssz!($name);
    };
    (@op $name:ident $($trait:ident $method:ident),*) => { $(
        impl $trait for $name {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self($trait::$method(self.0, other.0))
            }
        }

        impl $trait<u64> for $name {
            type Output = Self;
            fn $method(self, other: u64) -> Self {
                Self($trait::$method(self.0, other))
            }
        }
    )* };
}

number!(
    /// A slot number.
    Slot
);
number!(
    /// An epoch number.
    Epoch
);
number!(
    /// An amount in Gwei.
    Gwei
);
number!(
    /// A validator's place in the registry.
    ValidatorIndex
);
number!(
    /// A committee's place within a slot.
    CommitteeIndex
);

impl Slot {
    /// [`compute_epoch_at_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_epoch_at_slot).
    pub fn epoch(self, spec: &Spec) -> Epoch {
        Epoch(self.0 / spec.preset.slots_per_epoch)
    }
}

impl Epoch {
    /// [`compute_start_slot_at_epoch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_start_slot_at_epoch);
    /// the largest slot where the product does not fit.
    pub fn start_slot(self, spec: &Spec) -> Slot {
        Slot(self.0.saturating_mul(spec.preset.slots_per_epoch))
    }
}

/// A moment: milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
pub struct Time(pub u64);

impl Time {
    /// The moment so many milliseconds later.
    pub fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment, zero where it is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
