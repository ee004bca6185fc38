//! spec_tests
