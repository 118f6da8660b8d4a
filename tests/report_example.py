"""A made-up report with every section filled, for the tests of the page."""

import base64

import numpy as np

from nmt_keras.report.chart import Chart, Series, Table
from nmt_keras.report.page import Claim, Report, SystemPair, TranslationExample

NAMES = ("rnn", "lstm", "gru", "rnn-attention", "lstm-attention", "gru-attention", "transformer")


def attention_map(rows: list[str], columns: list[str], layers: int, heads: int, seed: int) -> dict[str, object]:
    """Weights that fall on the diagonal in the last head, and are drawn in the others."""
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.full(len(columns), 0.3), (layers, heads, len(rows)))
    weights[-1, -1] = np.eye(len(rows), len(columns))
    packed = base64.b64encode(np.rint(255 * weights).astype("uint8").tobytes()).decode()
    return {"rows": rows, "columns": columns, "layers": layers, "heads": heads, "weights": packed}


def example() -> Report:
    """Seven architectures with figures drawn by chance."""
    random = np.random.default_rng(1)

    def lines(x: list[float], scale: float, intervals: bool = False) -> list[Series]:
        found = []
        for colour, name in enumerate(NAMES):
            y = (scale * (1 + colour + random.random(len(x)))).tolist()
            low = [value * 0.9 for value in y] if intervals else None
            high = [value * 1.2 for value in y] if intervals else None
            notes = [f"{value} <words>" for value in x] if intervals else []
            found.append(Series(name, x, y, low, high, notes, colour))
        return found

    charts: list[Chart] = [
        Chart(
            "ranking",
            "BLEU with intervals",
            "",
            "BLEU on test",
            [Series(name, [name], [30.0 + c], [28.0 + c], [33.0 + c], colour=c) for c, name in enumerate(NAMES)],
            points=True,
        ),
        Chart("curves-valid-bleu-step", "BLEU", "Updates", "Validation BLEU", lines([100, 200, 300], 5)),
        Chart(
            "curves-valid-bleu-training-seconds", "BLEU", "Training time (minutes)", "Validation BLEU", lines([1, 2], 5)
        ),
        Chart("length", "BLEU by length", "Words in the source sentence", "BLEU", lines([4, 9, 15, 40], 5, True)),
        Chart("agreement", "Agreement", "Words between", "Right form (%)", lines([3, 8, 15, 25, 35], 10, True)),
        Chart("step-time", "Step time", "Tokens", "Time (ms)", lines([8, 32, 128], 9, True), log_x=True, log_y=True),
        Chart("encoding-time", "Encoding", "Tokens", "Time (ms)", lines([8, 32, 128], 3), log_x=True, log_y=True),
        Chart(
            "gradients",
            "Gradients",
            "Distance to the last position read (tokens)",
            "Norm of the loss's gradient at a state",
            [
                Series(
                    name,
                    list(range(20)),
                    [10.0 ** (-d * c / 20) for d in range(20)],
                    None,
                    None,
                    (),
                    c,
                    when,
                    c % 2 > 0,
                )
                for c, name in enumerate(NAMES)
                for when in ("after training", "before training")
            ],
            log_y=True,
        ),
    ]
    source, target = ["▁The", "▁cat", "</s>"], ["▁Le", "▁ch", "at", "</s>"]
    longer = [f"▁word{number}" for number in range(14)]

    def maps(seed: int, transformer: bool) -> list[dict[str, object]]:
        pairs = []
        for texts, targets in ((source, target), (longer, longer)):
            of_pair = {"cross": attention_map(targets, texts, *((2, 4) if transformer else (1, 1)), seed=seed)}
            if transformer:
                of_pair["encoder_self"] = attention_map(texts, texts, 2, 4, seed + 1)
                of_pair["decoder_self"] = attention_map(targets, ["<s>", *targets[:-1]], 2, 4, seed + 2)
            pairs.append({"source": "", "target": "", "maps": of_pair})
        return pairs

    sentence = TranslationExample(
        "The cat <b>sleeps</b> & the dog “barks”.",
        "Le chat dort et le chien aboie.",
        "Le chat dort et le chien aboie.",
        "Le chat mange le chat.",
        100.0,
        12.0,
    )
    scores = Table(
        "scores",
        "Scores",
        ["architecture", "BLEU", "95% interval", "from the best", "chrF", "TER", "perplexity", "ms"],
        [[name, "30.12 ± 0.40", "28.0 to 33.0", "−1.40 (p 0.2310)", "50.1", "45.2", "8.11", "35"] for name in NAMES],
    )
    pairs = Table(
        "pairs-test",
        "Each two",
        ["pair", "difference", "95% interval", "p", "at the 5% level"],
        [["rnn − transformer", "−7.00", "−8.10 to −5.90", "0.0003", "different"]],
    )
    return Report(
        title="phrasebook: en to fr",
        facts=[("architectures", "7"), ("seeds", "1, 2, 3"), ("test sentences", "1,000")],
        notice="The phrasebook is synthetic.",
        findings=[
            "transformer has the highest BLEU on test, 36.00.",
            "It differs significantly from each of the others.",
        ],
        claims=[
            Claim("Recurrent networks lose long dependencies.", True, ["rnn: loses 12.0 points"], "nothing"),
            Claim("A fixed context is a bottleneck.", False, ["rnn loses 3.0 BLEU"], "nothing"),
            Claim("Gates keep what a plain recurrence loses.", None, [], "the architectures were not compared"),
        ],
        tables={"scores": scores, "pairs-test": pairs},
        charts={chart.name: chart for chart in charts},
        notes={
            "scores": "Signatures: nrefs:1|case:mixed|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0",
            "length": "In buckets of 100 and more sentences.",
        },
        attention={
            "sentences": ["The cat", "word0 word1 </script><script>alert(1)</script>"],
            "architectures": {"lstm-attention": maps(3, False), "transformer": maps(5, True)},
        },
        system_pairs=[SystemPair("rnn", "lstm", [sentence], []), SystemPair("lstm", "transformer", [], [sentence])],
        commands=["nmt-keras compare --corpus phrasebook --seeds 1,2,3"],
        versions=[("git commit", "0" * 40), ("train: pairs, SHA-256", "40,000, " + "ab" * 32)],
    )
