"""Turns what compare.py measured into the text of README.md."""

from statistics import median

# What a step may take of the faster peer's time, and what it is meant to take.
GOALS = {
    "cnn3": (0.25, 0.15),
    "cnn1": (0.30, 0.20),
    "cnn4": (0.50, 0.35),
    "vgg_small": (0.60, 0.40),
    "dense_128": (0.80, 0.60),
}
# What would make a step shorter, as far as its profile tells.
NEXT = {
    "dense_128": "what is around products this small: fewer tensors for each layer, so that automatic differentiation has\n"
    "less to keep account of.",
    "cnn1": "the first dense layer, a plain product whose operands no near cache holds: blocks that read them less often,\n"
    "or leave out the zeros that ReLU makes of its inputs.",
    "cnn3": "the way back through pooling goes from one gradient that is not zero to the next, and reads and writes the\n"
    "image's gradients for each; neighbouring ones together would do so once.",
    "cnn4": "a batch norm passes over memory once for its statistics and once to apply them; the statistics could be taken\n"
    "where the convolution writes what they are of.",
    "vgg_small": "as for cnn4, the statistics of batch norms where the convolution writes.",
}
# What is measured where there is little time.
QUICK = ["step", "profile"]
# Milliseconds of a turn, unless `--turn` says otherwise.
TURN = 1500
SUITE, PEERS = "fused", ["PyTorch", "PyTorch channels-last", "Keras"]
PEAK_SIDE = 1536


def text(found):
    tables = [table_of(found) for part, tables in PARTS.items() if part in found for table_of in tables]
    return "\n".join([head(found), *tables])


def head(found):
    machine, versions = found["machine"], found["versions"]
    sets = ", ".join(machine["instructions"])
    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    turn = found["turn"]
    return f"""# Speed

Written by `{command(found)}`, which anyone can run; `results.json` beside this file has every round's numbers. The
machine: {machine["processor"]}, {machine["cores"]} cores ({sets}), {machine["memory"]}, {machine["system"]};
{found["threads"]} threads for everyone. Versions: {names}.
{commits(found)}

Contenders take turns, each a process of its own that works for about {turn:,.0f} ms a turn, in
{found["rounds"]} rounds whose order rotates. A time is the median over rounds of a round's median. A ratio is taken
within each round, to the peer that is the faster one by its median; its median and range are given. All compute in
f32 with the same layers, batch and optimizer: PyTorch eager, with its fused optimizer, Keras as `fit` compiles it. A
step of the suite and of Keras includes getting the next batch; PyTorch's is made beforehand.
"""


def command(found):
    """What measures all of this at once."""
    parts = [part for part in PARTS if part in found]
    flags = "" if parts == list(PARTS) else " --quick" if parts == QUICK else f" --parts {' '.join(parts)}"
    return "bench/run" + flags + f" --turn {found['turn']:g}" * (found["turn"] != TURN)


def commits(found):
    """Says what was measured at which commit."""
    measured = {}
    for part, rows in found["commits"].items():
        for commit in sorted(set(rows.values())):
            names = [name for name, of in rows.items() if of == commit]
            what = part if len(names) == len(rows) else f"{part} of {', '.join(names)}"
            measured.setdefault(commit, []).append(what)
    return " ".join(f"Commit {commit}: {'; '.join(parts)}." for commit, parts in measured.items())


def peak(found):
    """GFLOP/s of the faster product of two square matrices."""
    fastest = min(median(contender["rounds"]) for contender in found["peak"].values())
    return 2 * PEAK_SIDE**3 / fastest / 1e6


def table(titles, rows):
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def ratio(contenders, name=SUITE):
    """Of one contender to the faster peer, round by round; and which peer that is."""
    peers = {peer: contenders[peer]["rounds"] for peer in PEERS if peer in contenders}
    faster = min(peers, key=lambda peer: median(peers[peer]))
    return [own / other for own, other in zip(contenders[name]["rounds"], peers[faster])], faster


def spread(values):
    return f"**{median(values):.2f}** ({min(values):.2f}–{max(values):.2f})"


def milliseconds(contenders, name):
    if name not in contenders:
        return "–"
    time = median(contenders[name]["rounds"])
    return f"{time:.2f}" if time < 10 else f"{time:.1f}" if time < 1000 else f"{time:,.0f}"


def steps(found):
    rows = []
    for network, contenders in found["step"].items():
        values, faster = ratio(contenders)
        own = contenders[SUITE]
        operations = 2 * own["images"] * (3 * own["multiply_adds"] - own["first_multiply_adds"])
        rate = operations / median(own["rounds"]) / 1e6
        must, aim = GOALS[network]
        rows.append(
            [network, str(own["images"])]
            + [milliseconds(contenders, name) for name in [SUITE, "composed", *PEERS]]
            + [spread(values), faster, f"{must:.2f} / {aim:.2f}", f"{rate:.0f}", f"{rate / peak(found):.0%}"]
        )
    titles = ["network", "batch", "fused", "composed", "PyTorch", "channels-last", "Keras"]
    titles += ["fused : faster peer", "which is", "must / aim", "GFLOP/s", "of peak"]
    return f"""The largest product of matrices reaches {peak(found):.0f} GFLOP/s (the best of this suite and PyTorch), which is what
"of peak" refers to. A step counts three passes' operations but for the first layer's input gradient, which nobody
needs; operations that the suite leaves out because a factor is zero count as done.

## A training step, in milliseconds

{table(titles, rows)}
*composed* is this suite with `training.kernels = "composed"`: Burn's own operations on flex.
"""


def inference(found):
    rows = []
    for network, contenders in found["inference"].items():
        values, faster = ratio(contenders)
        names = [SUITE, "composed", *PEERS]
        rows.append([network, *(milliseconds(contenders, name) for name in names), spread(values), faster])
    titles = ["network", "fused", "composed", "PyTorch", "channels-last", "Keras", "fused : faster peer", "which is"]
    return f"## Inference over 10,000 images, in milliseconds\n\n{table(titles, rows)}"


def epochs(found):
    rows = []
    for network, contenders in found["epoch"].items():
        values, faster = ratio(contenders)
        images = contenders[SUITE]["images"]
        rate = lambda name: f"{1e3 * images / median(contenders[name]['rounds']):,.0f}" if name in contenders else "–"
        rows.append([network, *(rate(name) for name in [SUITE, *PEERS]), spread(values), faster])
    titles = ["network", "fused", "PyTorch", "channels-last", "Keras", "fused : faster peer", "which is"]
    return f"""## Training with augmentation, in images a second

Epochs of {images:,} images; the ratio is of their times, as in the other tables. Rotation, shift, shear and zoom as
for `cnn3_aug`. PyTorch resamples whole batches (`affine_grid`, `grid_sample`); Keras uses the generator of the
networks' source, `ImageDataGenerator`, in one thread.

{table(titles, rows)}"""


def loader(found):
    contenders = found["loader"]["cnn3"]
    values, faster = ratio(contenders)
    images = contenders[SUITE]["images"]
    names = [SUITE, *PEERS]
    rates = [f"{1e3 * images / median(contenders[name]['rounds']):,.0f}" for name in names]
    titles = ["suite", "PyTorch", "channels-last", "Keras", "suite : faster peer", "which is"]
    return f"""## Augmentation alone, in images a second

The same variations of {images:,} images in shuffled batches, with nothing trained. The suite prepares
batches in as many `data.workers` as there are threads; while it trains, one does it unless told otherwise.

{table(titles, [[*rates, spread(values), faster]])}"""


def growth(found):
    rows = []
    for title, contenders in found["growth"].items():
        values, _ = ratio(contenders)
        own = contenders[SUITE]
        per_image = median(own["rounds"]) / own["images"] * 1e3
        peer = milliseconds(contenders, "PyTorch channels-last")
        peak_bytes = [f"{contenders[name]['peak_bytes'] / 2**20:.0f}" for name in contenders]
        rows.append([title, milliseconds(contenders, SUITE), f"{per_image:.1f}", peer, spread(values), *peak_bytes])
    titles = ["step", "fused, ms", "µs an image", "PyTorch channels-last, ms", "ratio", "fused, MiB", "PyTorch, MiB"]
    return f"## How a step grows\n\n{table(titles, rows)}"


def memory(found):
    rows = []
    for network, contenders in found["step"].items():
        cells = [contenders.get(name) for name in [SUITE, "composed", *PEERS]]
        rows.append([network, *(f"{cell['peak_bytes'] / 2**20:.0f}" if cell else "–" for cell in cells)])
    titles = ["network", "fused", "composed", "PyTorch", "channels-last", "Keras"]
    return f"## The most memory of a training process, in MiB\n\n{table(titles, rows)}"


def profiles(found):
    parts = ["## Where the time of a step goes\n"]
    parts.append(
        "Milliseconds on the clock, as the suite's kernels measure themselves (`speed EXPERIMENT profile`); *the rest*\n"
        "is the automatic differentiation's bookkeeping, the next batch, and reading the logits.\n"
    )
    for network, profile in found["profile"].items():
        total = profile["milliseconds"]
        entries = sorted(profile["parts"], key=lambda part: -part[1])
        rest = total - sum(time for _, time in entries)
        rows = [[name, f"{time:.2f}", f"{time / total:.0%}"] for name, time in [*entries, ["the rest", rest]]]
        entries = table(["part", "ms", "share"], rows)
        parts.append(f"### {network}: {total:.2f} ms\n\n{entries}\nNext: {NEXT[network]}\n")
    return "\n".join(parts)


# What is measured, in this order, and the tables that show it.
PARTS = {
    "step": [steps, memory],
    "inference": [inference],
    "epoch": [epochs],
    "loader": [loader],
    "growth": [growth],
    "profile": [profiles],
}
