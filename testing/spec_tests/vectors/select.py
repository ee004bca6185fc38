#!/usr/bin/env python3
"""Makes the compact packs of this folder from a folder of full packs.

    python3 select.py FULL_PACKS_FOLDER [OUTPUT_FOLDER]

Needs Python 3.11 and the `zstd` command, nothing else. Reads every `NAME.tar.zst` of the first folder and writes a
pack of the same name, and INDEX.md, to the second one (by default this script's own folder).

What is kept
  * Everything of phase 0, of `general` and of `bls12-381`.
  * Of the later forks everything but a part of `ssz_static`. Its random values barely compress and fill nine tenths
    of the full packs, while all state tests of a fork together take about 1 MB. A container's cases are all kept
    where they are small; else each suite keeps its smallest few, fewer where the container is byte for byte that of
    the fork before. See `ssz_static_limit`.
  * Of `kzg` every handler that is small, and the smallest cases of each outcome of the others.

Cases are kept whole or not at all, so a kept case says exactly what it says upstream. The script fails, and writes no
index, where a handler (or a suite of `ssz_static`) would lose its last case.

Output depends on the input and on the version of zstd alone: entries are sorted, times and owners are zero. Within a
pack they are sorted by handler and then by file name: equal kinds of file lie side by side, which compresses best.
"""

import sys

# Python puts the script's folder first in its search path, where this file would pass for the standard `select`.
sys.path.pop(0)

import hashlib
import io
import subprocess
import tarfile
from collections import Counter, defaultdict
from pathlib import Path

SUFFIX = ".tar.zst"
FORKS = ["phase0", "altair", "bellatrix", "capella", "deneb", "electra", "fulu"]
TOTAL_LIMIT = 40_000_000

# Sizes are those of the uncompressed files of one container, over all its cases.
SMALL_CONTAINER = 600_000
SMALL_REPEATED_CONTAINER = 200_000
HUGE_CONTAINER = 5_000_000

SMALL_KZG_HANDLER = 100_000
KZG_CASES_PER_OUTCOME = 2


def ssz_static_limit(size, repeated):
    """How many cases of each suite a container keeps; None for all."""
    if size > HUGE_CONTAINER:
        return 1 if repeated else 2
    if repeated:
        return None if size <= SMALL_REPEATED_CONTAINER else 2
    return None if size <= SMALL_CONTAINER else 3


def read_pack(path):
    """The regular files of a pack: {path: bytes}. The window may be larger than ours."""
    with subprocess.Popen(["zstd", "-dcq", "--long=31", str(path)], stdout=subprocess.PIPE) as zstd:
        with tarfile.open(fileobj=zstd.stdout, mode="r|") as archive:
            files = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}
    if zstd.returncode != 0:
        raise SystemExit(f"{path}: zstd failed")
    return files


def write_pack(path, files):
    """Writes the pack; a window of 128 MiB, that zstd readers accept with few or no settings."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(files, key=lambda name: order(name)):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            archive.addfile(entry, io.BytesIO(files[name]))
    command = ["zstd", "-cq", "--ultra", "-22", "--long=27", "--single-thread"]
    path.write_bytes(subprocess.run(command, input=buffer.getvalue(), stdout=subprocess.PIPE, check=True).stdout)


def order(name):
    """Handler first, then the file's name, then the case."""
    case, file = place(name)
    return (case[:4], file, case[4:], name) if case else ((), "", (), name)


def place(name):
    """The case and the file within it: (preset, fork, runner, handler, suite, case), file. (None, None) for others."""
    parts = name.split("/")
    if parts[0] == "tests" and len(parts) == 8:
        return tuple(parts[1:7]), parts[7]
    if parts[0] == "kzg-c-kzg-4844-tests" and parts[1:2] == ["tests"] and len(parts) == 6:
        return ("general", "phase0", "kzg", *parts[2:5]), parts[5]
    if parts[0] == "bls12-381-tests" and parts[-1].endswith(".json"):
        return ("general", "phase0", "bls12_381", parts[-2], "json", parts[-1]), "data.json"
    return None, None


def by_case(files):
    """{case: {file: bytes}}"""
    cases = defaultdict(dict)
    for name, data in files.items():
        case, file = place(name)
        if case:
            cases[case][file] = data
    return cases


def size_of(case_files):
    return sum(map(len, case_files.values()))


def smallest(cases, names, limit):
    return sorted(names, key=lambda name: (size_of(cases[name]), name))[:limit]


def digest_of(case_files):
    """Of the value alone: the manifest names the fork."""
    digest = hashlib.sha256()
    for file in ("serialized.ssz", "value.yaml"):
        digest.update(case_files[file])
    return digest.digest()


def select_ssz_static(cases, digests):
    """Kept cases of one fork. `digests` holds {(handler, suite, case): digest} of the fork before, and is replaced."""
    previous = dict(digests)
    digests.clear()
    containers = defaultdict(list)
    for name in cases:
        containers[name[3]].append(name)
        digests[name[3:]] = digest_of(cases[name])
    kept = set()
    for names in containers.values():
        repeated = all(previous.get(name[3:]) == digests[name[3:]] for name in names)
        limit = ssz_static_limit(sum(size_of(cases[name]) for name in names), repeated)
        suites = defaultdict(list)
        for name in names:
            suites[name[4]].append(name)
        for suite in suites.values():
            kept.update(smallest(cases, suite, limit))
    return kept


def select_kzg(cases):
    handlers = defaultdict(list)
    for name in cases:
        handlers[name[3]].append(name)
    kept = set()
    for names in handlers.values():
        if sum(size_of(cases[name]) for name in names) <= SMALL_KZG_HANDLER:
            kept.update(names)
            continue
        outcomes = defaultdict(list)
        for name in names:
            output = cases[name]["data.yaml"].rpartition(b"\noutput:")[2].strip()
            outcomes[output if output in (b"null", b"true", b"false") else b"value"].append(name)
        for outcome in outcomes.values():
            kept.update(smallest(cases, outcome, KZG_CASES_PER_OUTCOME))
    return kept


def select(cases, digests):
    """The kept cases of one pack."""
    kept = set(cases)
    static = {name: files for name, files in cases.items() if name[2] == "ssz_static"}
    if static:
        selected = select_ssz_static(static, digests)
        if next(iter(static))[1] != "phase0":
            kept -= static.keys() - selected
    kzg = {name: files for name, files in cases.items() if name[2] == "kzg"}
    kept -= kzg.keys() - select_kzg(kzg)
    return kept


def check_coverage(pack, cases, kept):
    """Nothing may vanish: no handler, and no suite of `ssz_static`."""
    depth = lambda name: 5 if name[2] == "ssz_static" else 4
    lost = {name[: depth(name)] for name in cases} - {name[: depth(name)] for name in kept}
    if lost:
        raise SystemExit(f"{pack}: no case left of {sorted(lost)}")


def pack_order(path):
    """Forks in their order, so that a container can be compared with the fork before; other packs in front."""
    fork = path.name.removesuffix(SUFFIX).rpartition("-")[2]
    return (FORKS.index(fork) if fork in FORKS else -1, path.name)


def index(rows, zstd_version):
    lines = [
        "# Conformance vectors",
        "",
        "Official cases: made with the generator of consensus-specs 1.7.0-alpha.13 (commit a08d8a6e), real BLS, standard",
        "layout, `.ssz_snappy` decompressed to `.ssz`; `bls12-381` and `kzg` are the published sets of those names.",
        "This is a compact selection so that tests need no network. `select.py` made it and tells its rule; a larger",
        "set, in folders or packs, runs when `INTERLOCK_VECTORS` names its folder.",
        "",
        "Every handler of the full set, and every suite of `ssz_static`, has cases here. Kept / all by runner:",
        "",
        "| pack | MB | cases | by runner |",
        "| --- | --- | --- | --- |",
    ]
    sizes, counts_kept, counts_all = 0, 0, 0
    for pack, size, kept, total in rows:
        runners = ", ".join(
            f"{runner} {kept[runner]}" if kept[runner] == total[runner] else f"{runner} {kept[runner]}/{total[runner]}"
            for runner in sorted(total)
        )
        lines.append(f"| `{pack}` | {size / 1e6:.1f} | {kept.total()}/{total.total()} | {runners} |")
        sizes, counts_kept, counts_all = sizes + size, counts_kept + kept.total(), counts_all + total.total()
    lines += [
        f"| all | {sizes / 1e6:.1f} | {counts_kept}/{counts_all} | |",
        "",
        f"Unpack one: `zstd -d --long=27 -c PACK | tar x -C FOLDER`. Packed with {zstd_version}.",
        "",
    ]
    return "\n".join(lines)


def main():
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    source = Path(sys.argv[1])
    target = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).resolve().parent
    packs = sorted(source.glob("*" + SUFFIX), key=pack_order)
    if not packs:
        raise SystemExit(f"{source}: no packs")
    if source.resolve() == target.resolve():
        raise SystemExit("the output folder must not be the folder of the full packs")
    rows, digests = [], {}
    for path in packs:
        files = read_pack(path)
        cases = by_case(files)
        kept = select(cases, digests)
        check_coverage(path.name, cases, kept)
        write_pack(target / path.name, {name: data for name, data in files.items() if place(name)[0] in kept | {None}})
        size = (target / path.name).stat().st_size
        rows.append((path.name, size, Counter(name[2] for name in kept), Counter(name[2] for name in cases)))
        print(f"{path.name}: {len(kept)} of {len(cases)} cases, {size} bytes", flush=True)
    if sum(row[1] for row in rows) > TOTAL_LIMIT:
        raise SystemExit(f"more than {TOTAL_LIMIT} bytes in total")
    version = subprocess.run(["zstd", "-qV"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    (target / "INDEX.md").write_text(index(rows, f"zstd {version}"))


if __name__ == "__main__":
    main()
