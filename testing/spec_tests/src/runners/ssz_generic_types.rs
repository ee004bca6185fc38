//! The containers that the `ssz_generic` vectors define, declared as any other container is.
#![allow(non_snake_case)]

use ssz::{Bits, Bytes, Ssz};

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
pub struct SingleFieldTestStruct {
    A: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
pub struct SmallTestStruct {
    A: u16,
    B: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
pub struct FixedTestStruct {
    A: u8,
    B: u64,
    C: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
pub struct VarTestStruct {
    A: u16,
    #[ssz(list(1024))]
    B: Vec<u16>,
    C: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
pub struct ComplexTestStruct {
    A: u16,
    #[ssz(list(128))]
    B: ssz::List<u16>,
    C: u8,
    #[ssz(list(256))]
    D: Bytes,
    E: VarTestStruct,
    #[ssz(vector(4))]
    F: ssz::List<FixedTestStruct>,
    #[ssz(vector(2))]
    G: Vec<VarTestStruct>,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
pub struct ProgressiveTestStruct {
    #[ssz(list(progressive))]
    A: Bytes,
    #[ssz(list(progressive))]
    B: ssz::List<u64>,
    #[ssz(list(progressive))]
    C: ssz::List<SmallTestStruct>,
    #[ssz(list(progressive, list(progressive)))]
    D: Vec<Vec<VarTestStruct>>,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
pub struct BitsStruct {
    #[ssz(list(5))]
    A: Bits,
    #[ssz(vector(2))]
    B: Bits,
    #[ssz(vector(1))]
    C: Bits,
    #[ssz(list(6))]
    D: Bits,
    #[ssz(vector(8))]
    E: Bits,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
pub struct ProgressiveBitsStruct {
    #[ssz(vector(256))]
    A: Bits,
    #[ssz(list(256))]
    B: Bits,
    #[ssz(list(progressive))]
    C: Bits,
    #[ssz(vector(257))]
    D: Bits,
    #[ssz(list(257))]
    E: Bits,
    #[ssz(list(progressive))]
    F: Bits,
    #[ssz(vector(1280))]
    G: Bits,
    #[ssz(list(1280))]
    H: Bits,
    #[ssz(list(progressive))]
    I: Bits,
    #[ssz(vector(1281))]
    J: Bits,
    #[ssz(list(1281))]
    K: Bits,
    #[ssz(list(progressive))]
    L: Bits,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
#[ssz(progressive(1))]
pub struct ProgressiveSingleFieldContainerTestStruct {
    A: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
#[ssz(progressive(0, 0, 0, 0, 1))]
pub struct ProgressiveSingleListContainerTestStruct {
    #[ssz(list(progressive))]
    C: Bits,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
#[ssz(progressive(1, 0, 1, 0, 1))]
pub struct ProgressiveVarTestStruct {
    A: u8,
    #[ssz(list(123))]
    B: Vec<u16>,
    #[ssz(list(progressive))]
    C: Bits,
}

#[derive(Clone, Debug, Default, PartialEq, Ssz)]
#[ssz(progressive(1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1))]
pub struct ProgressiveComplexTestStruct {
    A: u8,
    #[ssz(list(123))]
    B: Vec<u16>,
    #[ssz(list(progressive))]
    C: Bits,
    #[ssz(list(progressive))]
    D: ssz::List<u64>,
    #[ssz(list(progressive))]
    E: Vec<SmallTestStruct>,
    #[ssz(list(progressive, list(progressive)))]
    F: Vec<Vec<VarTestStruct>>,
    #[ssz(list(10))]
    G: Vec<ProgressiveSingleFieldContainerTestStruct>,
    #[ssz(list(progressive))]
    H: Vec<ProgressiveVarTestStruct>,
}

#[derive(Clone, Debug, PartialEq, Ssz)]
pub enum CompatibleUnionA {
    #[ssz(selector = 1)]
    One(ProgressiveSingleFieldContainerTestStruct),
}

#[derive(Clone, Debug, PartialEq, Ssz)]
pub enum CompatibleUnionBC {
    #[ssz(selector = 2)]
    Two(ProgressiveSingleListContainerTestStruct),
    #[ssz(selector = 3)]
    Three(ProgressiveVarTestStruct),
}

#[derive(Clone, Debug, PartialEq, Ssz)]
pub enum CompatibleUnionABCA {
    #[ssz(selector = 1)]
    One(ProgressiveSingleFieldContainerTestStruct),
    #[ssz(selector = 2)]
    Two(ProgressiveSingleListContainerTestStruct),
    #[ssz(selector = 3)]
    Three(ProgressiveVarTestStruct),
    #[ssz(selector = 4)]
    Four(ProgressiveSingleFieldContainerTestStruct),
}
