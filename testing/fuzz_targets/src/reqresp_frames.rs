//! What peers ask and answer.

use network::fuzzing::{chunks, framed, limits, request};
use network::{Protocol, RequestLimits};
use types::{ForkName, Spec};

use crate::network::spec_of;

/// Chunks that are read of one answer.
const CHUNKS_MAX: usize = 64;

/// Protocol (first byte); whether it is a request, whether it is framed already, and which preset (second byte); bytes.
pub fn reqresp_frames(data: &[u8]) {
    let [first, second, bytes @ ..] = data else { return };
    let protocols: Vec<Protocol> = Protocol::all().collect();
    let protocol = protocols[usize::from(*first) % protocols.len()];
    let spec = if second & 4 == 0 { spec_of(ForkName::Fulu) } else { Spec::mainnet() };
    let limits = limits(spec);
    let is_framed = second & 2 != 0;
    if second & 1 == 0 {
        let sent = if is_framed { bytes.to_vec() } else { framed(bytes) };
        check_request(&limits, protocol, &sent, (!is_framed).then_some(bytes));
        return;
    }
    let sent = if is_framed {
        bytes.to_vec()
    } else {
        let context: &[u8] = if protocol.has_context() { &[1, 2, 3, 4] } else { &[] };
        [&[0], context, &framed(bytes)].concat()
    };
    let found = chunks(&limits, protocol, &sent, CHUNKS_MAX);
    assert!(found.len() <= CHUNKS_MAX, "more chunks than were asked for");
    for (context, ssz) in found {
        assert_eq!(context.is_some(), protocol.has_context(), "{protocol}: a context where there is none");
        assert!(is_framed || ssz == bytes, "{protocol}: another payload after framing");
    }
}

fn check_request(limits: &RequestLimits, protocol: Protocol, sent: &[u8], payload: Option<&[u8]>) {
    let Some((ssz, items)) = request(limits, protocol, sent) else { return };
    assert!(items >= 1, "{protocol}: a request for nothing");
    if let Some(payload) = payload {
        assert!(ssz.is_empty() || ssz == payload, "{protocol}: another request after framing");
    }
}
