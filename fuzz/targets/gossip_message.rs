#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::gossip_message(data));
