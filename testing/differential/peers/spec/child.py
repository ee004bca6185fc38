"""Runs cases on the executable specification: requests on stdin, replies on stdout, until stdin ends.

A message is the length of a JSON header (4 bytes, little endian), the header, and the blobs whose lengths the header
names under "blobs". See `src/wire.rs` for the fields.
"""

import importlib
import json
import struct
import sys
from importlib.metadata import version

PEER = "eth-consensus-specs " + version("eth-consensus-specs")
LENGTH_MAX = 1 << 28
OPERATIONS = {
    "attestation": "Attestation",
    "attester_slashing": "AttesterSlashing",
    "block_header": "BeaconBlock",
    "bls_to_execution_change": "SignedBLSToExecutionChange",
    "consolidation_request": "ConsolidationRequest",
    "deposit": "Deposit",
    "deposit_request": "DepositRequest",
    "execution_payload": "BeaconBlockBody",
    "proposer_slashing": "ProposerSlashing",
    "sync_aggregate": "SyncAggregate",
    "voluntary_exit": "SignedVoluntaryExit",
    "withdrawal_request": "WithdrawalRequest",
    "withdrawals": "ExecutionPayload",
}

modules = {}


class Signatures:
    """The specification's `bls` with a switch. Without signatures only those of deposits are looked at, since a
    deposit's may be wrong and decides what the state becomes."""

    def __init__(self, real):
        self.real = real
        self.verifies = True

    def __getattr__(self, name):
        return getattr(self.real, name)

    def Verify(self, pubkey, message, signature):
        if not self.verifies and sys._getframe(1).f_code.co_name not in (
            "apply_deposit",
            "is_valid_deposit_signature",
        ):
            return True
        return self.real.Verify(pubkey, message, signature)

    def FastAggregateVerify(self, pubkeys, message, signature):
        return not self.verifies or self.real.FastAggregateVerify(pubkeys, message, signature)


def spec_of(preset, fork):
    if (preset, fork) not in modules:
        spec = importlib.import_module(f"eth_consensus_specs.{fork}.{preset}")
        spec.bls = Signatures(spec.bls)
        spec.eth_fast_aggregate_verify = switched(spec)
        spec.process_registry_updates = keeping_exits(spec)
        modules[preset, fork] = spec
    return modules[preset, fork]


def switched(spec):
    """The rule for an empty sync committee has an answer of its own, which the switch must cover too."""
    real = getattr(spec, "eth_fast_aggregate_verify", None)

    def verify(pubkeys, message, signature):
        return not spec.bls.verifies or real(pubkeys, message, signature)

    return verify


def keeping_exits(spec):
    """Exits of the registry updates come after the loop that they are found in.

    The loop runs over one view of the registry and writes eligibility through it, while an exit is written through
    another view. A later write through the first one brings back the registry as it was before the exit: a validator
    that is ejected stays, if one behind it becomes eligible in the same epoch. Neither the text nor any client has it
    so. Eligibility and exits do not depend on each other, so that their order is free.
    """
    process, initiate = spec.process_registry_updates, spec.initiate_validator_exit

    def process_registry_updates(state):
        leaving = []
        spec.initiate_validator_exit = lambda _, index: leaving.append(index)
        try:
            process(state)
        finally:
            spec.initiate_validator_exit = initiate
        for index in leaving:
            initiate(state, index)

    return process_registry_updates


def run(spec, header, blobs):
    state = spec.BeaconState.decode_bytes(blobs[0])
    action, name = header["action"], header.get("name", "")
    if action == "slots":
        spec.process_slots(state, spec.Slot(int(state.slot) + header["slots"]))
    elif action == "epoch":
        getattr(spec, "process_" + name)(state)
    elif action == "operation":
        operation(spec, state, name, getattr(spec, OPERATIONS[name]).decode_bytes(blobs[1]))
    elif action == "blocks":
        for bytes_ in blobs[1:]:
            signed = spec.SignedBeaconBlock.decode_bytes(bytes_)
            spec.process_slots(state, signed.message.slot)
            if spec.bls.verifies:
                assert spec.verify_block_signature(state, signed), "the proposer's signature"
            spec.process_block(state, signed.message)
    else:
        raise ValueError(f"no action {action}")
    return state


def operation(spec, state, name, value):
    process = getattr(spec, "process_" + name)
    if name == "execution_payload":
        process(state, value, spec.EXECUTION_ENGINE)
    else:
        process(state, value)


def why(error):
    """The line that refused, since assertions of the specification carry no text."""
    trace, last = error.__traceback__, None
    while trace is not None:
        last, trace = trace, trace.tb_next
    place = f"{last.tb_frame.f_code.co_name}:{last.tb_lineno}" if last else "?"
    return f"{type(error).__name__} in {place} {error}"[:300]


def answer(header, blobs):
    if header["action"] == "hello":
        return {"peer": PEER}, []
    spec = spec_of(header["preset"], header["fork"])
    spec.bls.verifies = header["signatures"]
    try:
        state = run(spec, header, blobs)
    except Exception as error:
        return {"accepted": False, "why": why(error)}, []
    root = "0x" + bytes(spec.hash_tree_root(state)).hex()
    post = [state.encode_bytes()] if header.get("post") else []
    return {"accepted": True, "root": root}, post


def read(count):
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        sys.exit(0)
    return data


def main():
    while True:
        (length,) = struct.unpack("<I", read(4))
        header = json.loads(read(min(length, LENGTH_MAX)))
        blobs = [read(min(size, LENGTH_MAX)) for size in header["blobs"]]
        reply, parts = answer(header, blobs)
        reply["blobs"] = [len(part) for part in parts]
        text = json.dumps(reply).encode()
        out = sys.stdout.buffer
        out.write(struct.pack("<I", len(text)) + text + b"".join(parts))
        out.flush()


main()
