// Runs cases on Lodestar's state-transition library: requests on stdin, replies on stdout, until stdin ends.
//
// A message is the length of a JSON header (4 bytes, little endian), the header, and the blobs whose lengths the header
// names under "blobs". See `src/wire.rs` for the fields. The preset is that of LODESTAR_PRESET.
//
// The libraries are found from the folder of node_modules, which this file need not lie in.
import {readFileSync, writeSync} from "node:fs";
import {createRequire} from "node:module";
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const folder = process.argv[2];
const load = (name, path) => import(pathToFileURL(join(folder, "node_modules", name, path)));
const transition = await load("@lodestar/state-transition", "lib/index.js");
const block = await load("@lodestar/state-transition", "lib/block/index.js");
const epoch = await load("@lodestar/state-transition", "lib/epoch/index.js");
const {createBeaconConfig, createChainForkConfig} = await load("@lodestar/config", "lib/index.js");
const {chainConfig} = await load("@lodestar/config", "lib/default.js");
const {ForkSeq} = await load("@lodestar/params", "lib/index.js");
const {ssz} = await load("@lodestar/types", "lib/index.js");
const version = JSON.parse(
  readFileSync(join(folder, "node_modules/@lodestar/state-transition/package.json"), "utf8")
).version;

const external = {
  executionPayloadStatus: transition.ExecutionPayloadStatus.valid,
  dataAvailabilityStatus: transition.DataAvailabilityStatus.Available,
};

const configs = new Map();

/** The preset's configuration in which the fork and all before it begin at genesis. */
function configOf(fork) {
  if (!configs.has(fork)) {
    const epochs = {};
    for (const name of ["altair", "bellatrix", "capella", "deneb", "electra", "fulu"]) {
      epochs[`${name.toUpperCase()}_FORK_EPOCH`] = ForkSeq[name] <= ForkSeq[fork] ? 0 : Infinity;
    }
    configs.set(fork, createChainForkConfig({...chainConfig, ...epochs}));
  }
  return configs.get(fork);
}

function stateOf(fork, bytes) {
  const view = ssz[fork].BeaconState.deserializeToViewDU(bytes);
  const config = createBeaconConfig(configOf(fork), view.genesisValidatorsRoot);
  return transition.createCachedBeaconState(view, {config, pubkeyCache: transition.createPubkeyCache()});
}

const operations = {
  attestation: ["Attestation", (seq, state, value, on) => block.processAttestations(seq, state, [value], null, on)],
  attester_slashing: ["AttesterSlashing", block.processAttesterSlashing],
  block_header: ["BeaconBlock", (seq, state, value) => block.processBlockHeader(state, value)],
  bls_to_execution_change: [
    "SignedBLSToExecutionChange",
    (seq, state, value) => block.processBlsToExecutionChange(state, value),
  ],
  consolidation_request: [
    "ConsolidationRequest",
    (seq, state, value) => block.processConsolidationRequest(state, value),
  ],
  deposit: ["Deposit", block.processDeposit],
  deposit_request: ["DepositRequest", block.processDepositRequest],
  execution_payload: [
    "BeaconBlockBody",
    (seq, state, value) => block.processExecutionPayload(seq, state, value, external),
  ],
  proposer_slashing: ["ProposerSlashing", block.processProposerSlashing],
  sync_aggregate: [
    "SyncAggregate",
    (seq, state, value, on) => {
      const parent = ssz.phase0.BeaconBlockHeader.hashTreeRoot(state.latestBlockHeader);
      block.processSyncAggregate(state, {slot: state.slot, parentRoot: parent, body: {syncAggregate: value}}, on);
    },
  ],
  voluntary_exit: ["SignedVoluntaryExit", block.processVoluntaryExit],
  withdrawal_request: ["WithdrawalRequest", block.processWithdrawalRequest],
  withdrawals: ["ExecutionPayload", block.processWithdrawals],
};

const steps = {
  effective_balance_updates: (seq, state, cache) => epoch.processEffectiveBalanceUpdates(seq, state, cache),
  eth1_data_reset: (seq, state, cache) => epoch.processEth1DataReset(state, cache),
  historical_roots_update: (seq, state, cache) => epoch.processHistoricalRootsUpdate(state, cache),
  historical_summaries_update: (seq, state, cache) => epoch.processHistoricalSummariesUpdate(state, cache),
  inactivity_updates: (seq, state, cache) => epoch.processInactivityUpdates(state, cache),
  justification_and_finalization: (seq, state, cache) => epoch.processJustificationAndFinalization(state, cache),
  participation_flag_updates: (seq, state) => epoch.processParticipationFlagUpdates(state),
  participation_record_updates: (seq, state) => epoch.processParticipationRecordUpdates(state),
  pending_consolidations: (seq, state, cache) => epoch.processPendingConsolidations(state, cache),
  pending_deposits: (seq, state, cache) => epoch.processPendingDeposits(state, cache),
  proposer_lookahead: (seq, state, cache) => epoch.processProposerLookahead(seq, state, cache),
  randao_mixes_reset: (seq, state, cache) => epoch.processRandaoMixesReset(state, cache),
  registry_updates: (seq, state, cache) => epoch.processRegistryUpdates(seq, state, cache),
  rewards_and_penalties: (seq, state, cache) => epoch.processRewardsAndPenalties(state, cache),
  slashings: (seq, state, cache) => epoch.processSlashings(state, cache),
  slashings_reset: (seq, state, cache) => epoch.processSlashingsReset(state, cache),
  sync_committee_updates: (seq, state) => epoch.processSyncCommitteeUpdates(seq, state),
};

function run(header, blobs) {
  const {fork, action, name, signatures} = header;
  const seq = ForkSeq[fork];
  let state = stateOf(fork, blobs[0]);
  if (action === "slots") {
    return transition.processSlots(state, state.slot + header.slots);
  }
  if (action === "epoch") {
    steps[name](seq, state, transition.beforeProcessEpoch(state, {assertCorrectProgressiveBalances: false}));
  } else if (action === "operation") {
    const [type, process] = operations[name];
    process(seq, state, ssz[fork][type].deserialize(blobs[1]), signatures);
  } else if (action === "blocks") {
    for (const bytes of blobs.slice(1)) {
      const signed = ssz[fork].SignedBeaconBlock.deserialize(bytes);
      // The specification refuses to go to a slot that the state is at already; the library leaves that to its caller.
      if (signed.message.slot <= state.slot) throw Error("the block's slot is not after the state's");
      state = transition.stateTransition(state, signed, {
        ...external,
        verifyStateRoot: false,
        verifyProposer: signatures,
        verifySignatures: signatures,
      });
    }
  } else {
    throw Error(`no action ${action}`);
  }
  state.commit();
  return state;
}

function answer(header, blobs) {
  if (header.action === "hello") return [{peer: `@lodestar/state-transition ${version}`}, []];
  try {
    const state = run(header, blobs);
    const root = "0x" + Buffer.from(state.hashTreeRoot()).toString("hex");
    return [{accepted: true, root}, header.post ? [state.serialize()] : []];
  } catch (error) {
    const at = String(error.stack).split("\n").find((line) => line.includes("/lib/")) ?? "";
    const place = at.replace(/.*\/lib\/(.*?):\d+\)?$/, "$1");
    return [{accepted: false, why: `${error.message} (${place})`.slice(0, 300)}, []];
  }
}

function write(bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      // A pipe that is full says so instead of waiting.
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

let held = Buffer.alloc(0);

/** The message at the start of what was read, or nothing while a part of it is missing. */
function take() {
  if (held.length < 4) return null;
  const length = held.readUInt32LE(0);
  if (held.length < 4 + length) return null;
  const header = JSON.parse(held.subarray(4, 4 + length).toString());
  let at = 4 + length;
  const end = header.blobs.reduce((sum, size) => sum + size, at);
  if (held.length < end) return null;
  const blobs = header.blobs.map((size) => new Uint8Array(held.subarray(at, (at += size))));
  held = held.subarray(end);
  return [header, blobs];
}

for await (const chunk of process.stdin) {
  held = Buffer.concat([held, chunk]);
  for (let message = take(); message; message = take()) {
    const [reply, parts] = answer(...message);
    const text = Buffer.from(JSON.stringify({...reply, blobs: parts.map((part) => part.length)}));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    write(Buffer.concat([length, text, ...parts]));
  }
}
