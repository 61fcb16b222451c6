"""What `elman.convert` brings to models of other packages: `python benchmarks/packages.py [MODEL ...]`.

Each is built by its package, at its usual size, with random weights and a batch as it is used or trained, once with
torch.nn's recurrent layers and once with Elman's. Answers and gradients are compared without dropout. Then both are
timed in turn: inference, and a training step (forward, loss, backward) where people train such a model on a CPU.
`recurrent` is the part of torch.nn's time that its recurrent layers take when they are called alone with what they were
called with, the most that there is to gain. Prints a row of a table for each model, or which package is missing.
"""

import argparse
import statistics
import string
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

import elman
from elman.benchmarks.timing import Budget, interleave, ratio


@dataclass
class Case:
    """A model with what is run of it; `loss` is None for what nobody trains on a CPU."""

    module: nn.Module
    answer: Callable[[], object]
    loss: Callable[[], Tensor] | None = None


def square(output):
    return output.float().square().mean()


def openunmix():
    module = package("openunmix.model").OpenUnmix(nb_bins=2049, hidden_size=512, max_bin=1487)
    song, batch = torch.rand(1, 2, 2049, 431), torch.rand(16, 2, 2049, 255)  # ten seconds; sixteen of six
    return Case(module, lambda: module(song), lambda: square(module(batch)))


def demucs():
    module = package("demucs.hdemucs").HDemucs(["drums", "bass", "other", "vocals"])
    song = torch.randn(1, 2, 5 * 44100)
    return Case(module, lambda: module(song))


def encodec():
    module = package("encodec").EncodecModel.encodec_model_24khz(pretrained=False)
    sound = torch.randn(1, 1, 10 * 24000)
    return Case(module, lambda: module.decoder(module.encoder(sound)))


def deepfilternet():
    package("df.config").config.use_defaults(allow_reload=True)
    module = package("df.deepfilternet3").init_model()

    def sound(rows, steps):
        return [torch.randn(rows, 1, steps, *size) for size in ((481, 2), (32,), (96, 2))]

    speech, batch = sound(1, 1000), sound(8, 300)  # ten seconds; eight of three
    return Case(module, lambda: module(*speech)[0], lambda: square(module(*batch)[0]))


def dprnn():
    module = package("asteroid.models").DPRNNTasNet(n_src=2)
    sound = torch.randn(1, 4 * 8000)
    return Case(module, lambda: module(sound), lambda: square(module(sound)))


def crdnn():
    recurrent = package("speechbrain.nnet.RNN").LSTM
    module = package("speechbrain.lobes.models.CRDNN").CRDNN(input_size=40, rnn_class=recurrent)
    frames = torch.randn(4, 300, 40)
    return Case(module, lambda: module(frames[:1]), lambda: square(module(frames)))


def pyannote():
    base = package("pyannote.audio.core.task")
    module = package("pyannote.audio.models.segmentation").PyanNet()
    module.specifications = base.Specifications(
        problem=base.Problem.MONO_LABEL_CLASSIFICATION,
        resolution=base.Resolution.FRAME,
        duration=10.0,
        classes=["a", "b", "c"],
        powerset_max_classes=2,
    )
    module.build()
    sound = torch.randn(32, 1, 10 * 16000)
    return Case(module, lambda: module(sound), lambda: square(module(sound[:8])))


def easyocr():
    module = package("easyocr.model.vgg_model").Model(1, 256, 256, 97)
    lines = torch.randn(8, 1, 64, 400)
    return Case(module, lambda: module(lines[:1], ""), lambda: square(module(lines, "")))


def doctr(name, rows):
    module = getattr(package("doctr.models.recognition"), name)(pretrained=False, pretrained_backbone=False)
    words = torch.rand(rows, 3, 32, 128)
    return Case(
        module,
        lambda: module(words, return_model_output=True)["out_map"],
        lambda: module(words, target=["recurrent", "network"] * (rows // 2))["loss"],
    )


def kraken():
    convolutions = "Cr3,13,32 Do0.1,2 Mp2,2 Cr3,13,32 Do0.1,2 Mp2,2 Cr3,9,64 Do0.1,2 Mp2,2 Cr3,9,64 Do0.1,2"
    spec = f"[1,48,0,1 {convolutions} S1(1x0)1,3 Lbx200 Do0.1,2 Lbx200 Do0.1,2 Lbx200 Do O1c100]"
    module = package("kraken.lib.vgsl").TorchVGSLModel(vgsl=spec).nn
    lines, lengths = torch.rand(8, 1, 48, 1000), torch.full((8,), 1000)
    return Case(module, lambda: module(lines[:1], lengths[:1])[0], lambda: square(module(lines, lengths)[0]))


def stanza():
    tagger = package("stanza.models.pos.model").Tagger
    sizes = {"word": 10000, "char": 100, "upos": 20, "xpos": 52, "feats": 10}
    given = {"hidden_dim": 200, "char_hidden_dim": 400, "deep_biaff_hidden_dim": 400, "word_emb_dim": 75}
    given |= {"char_emb_dim": 100, "tag_emb_dim": 50, "transformed_dim": 125, "num_layers": 2, "char_num_layers": 1}
    given |= {"word_dropout": 0.33, "dropout": 0.5, "rec_dropout": 0, "char_rec_dropout": 0, "char": True}
    module = tagger({**given, "pretrain": False}, {name: range(size) for name, size in sizes.items()})
    for weight in module.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.05)  # it begins with classifiers of zeros, which would hide all differences
    lengths = sorted(torch.randint(5, 40, (32,)).tolist(), reverse=True)
    words = sum(lengths)
    inside = torch.arange(lengths[0]) < torch.tensor(lengths)[:, None]
    tags = [torch.randint(2, sizes[name], inside.shape) * inside for name in ("upos", "xpos", "feats")]
    letters = torch.randint(1, 13, (words,)).sort(descending=True).values
    spelt = torch.arange(12) < letters[:, None]
    characters = torch.randint(2, sizes["char"], spelt.shape) * spelt
    word, order = torch.randint(2, sizes["word"], inside.shape) * inside, torch.randperm(words)

    def run(tags):
        return module(word, ~inside, characters, ~spelt, tags, None, order, lengths, letters.tolist(), None)

    return Case(module, lambda: run(None)[1], lambda: run(tags)[0])


def neuralforecast(name):
    module = getattr(package("neuralforecast.models"), name)(h=24, input_size=96)
    series = {"insample_y": torch.randn(128, 96, 1), "futr_exog": None, "hist_exog": None, "stat_exog": None}
    return Case(module, lambda: module(series), lambda: square(module(series)))


def recurrent_ppo():
    recurrent = package("sb3_contrib").RecurrentPPO
    vector = package("stable_baselines3.common.env_util").make_vec_env("CartPole-v1", 8, seed=0)
    learner = recurrent("MlpLstmPolicy", vector, n_steps=128, batch_size=128, n_epochs=1, seed=0)
    learner.learn(8 * 128)
    module, batch = learner.policy, next(learner.rollout_buffer.get(128))
    seen = vector.reset()

    def loss():
        given = batch.observations, batch.actions.long().flatten(), batch.lstm_states, batch.episode_starts
        value, probability, entropy = module.evaluate_actions(*given)
        read, changed = batch.mask > 0, (probability - batch.old_log_prob).exp()
        worse = -(batch.advantages * changed)[read].mean()
        return worse + 0.5 * (batch.returns - value.flatten())[read].square().mean() - 0.01 * entropy.mean()

    return Case(module, lambda: torch.from_numpy(module.predict(seen, deterministic=True)[1][0]), loss)


def tacotron2():
    made = package("torchaudio.models").Tacotron2(decoder_max_step=100, gate_threshold=1.0)
    text, frames = torch.randint(0, 148, (4, 80)), torch.randn(4, 80, 100)
    lengths, durations = torch.full((4,), 80), torch.full((4,), 100)
    return Case(
        made,
        lambda: made.infer(text[:1], lengths[:1])[0],
        lambda: square(made(text, lengths, frames, durations)[1] - frames),
    )


def flair():
    data, embeddings, models = (package(f"flair.{name}") for name in ("data", "embeddings", "models"))
    letters, tags = data.Dictionary(), data.Dictionary(add_unk=False)
    for letter in string.printable:
        letters.add_item(letter)
    read = [embeddings.FlairEmbeddings(models.LanguageModel(letters, way, 1024, 1)) for way in (True, False)]
    for tag in ("NOUN", "VERB", "ADJ", "DET"):
        tags.add_item(tag)
    module = models.SequenceTagger(embeddings.StackedEmbeddings(read), tags, "pos", tag_format="BIO")
    words = ("the", "recurrent", "network", "remembers", "what", "it", "has", "read", "of", "long", "sentences")
    sentences = [data.Sentence([words[(n + at) % 11] for n in range(8 + 2 * at)]) for at in range(16)]
    for token in (token for sentence in sentences for token in sentence):
        token.add_label("pos", tags.get_item_for_index(len(token.text) % 4))

    def answer():
        for sentence in sentences:
            sentence.clear_embeddings()
        tensor, lengths = module._prepare_tensors(sorted(sentences, key=len, reverse=True))  # noqa: SLF001
        return module(tensor, lengths)[0].clamp(min=-100)  # what the CRF forbids is -10,000

    return Case(module, answer, lambda: module.forward_loss(sentences)[0])


def pytorch_forecasting():
    made, frame = package("pytorch_forecasting"), package("pandas").DataFrame
    series, steps = 32, 200
    known = {
        "series": [str(n) for n in range(series) for _ in range(steps)],
        "time": [*range(steps)] * series,
        "value": torch.randn(series * steps).tolist(),
    }
    data = made.TimeSeriesDataSet(
        frame(known),
        time_idx="time",
        target="value",
        group_ids=["series"],
        max_encoder_length=96,
        max_prediction_length=24,
        time_varying_known_reals=["time"],
        time_varying_unknown_reals=["value"],
        static_categoricals=["series"],
    )
    module = made.TemporalFusionTransformer.from_dataset(data, hidden_size=32, lstm_layers=2, output_size=7)
    x, y = next(iter(data.to_dataloader(train=False, batch_size=64)))
    return Case(module, lambda: module(x)["prediction"], lambda: module.loss(module(x)["prediction"], y))


MODELS = {
    "Open-Unmix": openunmix,
    "HDemucs": demucs,
    "Encodec-24kHz": encodec,
    "DeepFilterNet3": deepfilternet,
    "DPRNN-TasNet": dprnn,
    "CRDNN": crdnn,
    "PyanNet": pyannote,
    "EasyOCR": easyocr,
    "docTR-CRNN": partial(doctr, "crnn_vgg16_bn", 16),
    "docTR-SAR": partial(doctr, "sar_resnet31", 4),
    "kraken": kraken,
    "Stanza-tagger": stanza,
    "flair-tagger": flair,
    "NeuralForecast-LSTM": partial(neuralforecast, "LSTM"),
    "NeuralForecast-GRU": partial(neuralforecast, "GRU"),
    "NeuralForecast-DeepAR": partial(neuralforecast, "DeepAR"),
    "TFT": pytorch_forecasting,
    "RecurrentPPO": recurrent_ppo,
    "Tacotron2": tacotron2,
}
DERIVED = {"TFT": "pytorch_forecasting"}
"""Packages that derive classes from torch.nn's, so that Elman's are put in their place while these are imported."""


PROJECTS = {"df": "deepfilternet", "doctr": "python-doctr", "pyannote": "pyannote.audio", "sb3_contrib": "sb3-contrib"}
"""What is to be installed, where modules have other names."""


class MissingError(Exception):
    """A package that is not installed."""


def package(name):
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingError(f"needs {PROJECTS.get(error.name, error.name)}, which is not installed") from None


def built(name, way):
    """The model with the layers of `way`; both ways begin with the same weights and the same batches."""
    patched = name in DERIVED and way == "elman"
    for module in [each for each in sys.modules if name in DERIVED and each.split(".")[0] == DERIVED[name]]:
        del sys.modules[module]
    torch.manual_seed(0)
    with patch.multiple(nn, RNN=elman.RNN, GRU=elman.GRU, LSTM=elman.LSTM) if patched else nullcontext():
        case = MODELS[name]()
    if way == "elman":
        elman.convert(case.module)
    return case


@torch.no_grad()
def infer(case):
    return case.answer()


def train(case):
    case.module.zero_grad()
    case.loss().backward()


def results(case):
    """What a model answers, and its gradients, without dropout."""
    case.module.eval()
    torch.manual_seed(0)
    found = {
        "answer": torch.cat([each.flatten().double() for each in tree_leaves(infer(case)) if torch.is_tensor(each)])
    }
    if case.loss:
        torch.manual_seed(0)
        train(case)
        found["gradient"] = torch.cat([p.grad.flatten() for p in case.module.parameters() if p.grad is not None])
    return found


def recurrent_alone(case, run):
    """The calls of the recurrent layers in `run`, as one function; with their backward passes under gradients."""
    calls = []
    layers = [each for each in case.module.modules() if isinstance(each, (nn.RNNBase, nn.RNNCellBase))]
    hooks = [each.register_forward_pre_hook(lambda *call: calls.append(call), with_kwargs=True) for each in layers]
    run(case)
    for hook in hooks:
        hook.remove()

    def fresh(value):
        return value.detach().requires_grad_(value.requires_grad) if torch.is_tensor(value) else value

    calls = [(layer, *tree_map(fresh, given)) for layer, *given in calls]

    def alone():
        for layer, args, options in calls:
            outputs = [each for each in tree_leaves(layer(*args, **options)) if torch.is_tensor(each)]
            outputs = [each for each in outputs if each.requires_grad]
            if outputs:
                torch.autograd.backward(outputs[0], outputs[0])

    return alone


def deviation(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def timed(cases, run, seconds):
    """What goes into the table: both ways' milliseconds, how many times longer torch.nn takes, and its layers' part."""
    works = {way: partial(run, case) for way, case in cases.items()}
    with torch.no_grad() if run is infer else torch.enable_grad():
        for work in works.values():
            work()
        times = interleave(works, Budget(seconds=seconds))
        alone = interleave({"": recurrent_alone(cases["torch"], run)}, Budget(seconds=seconds / 4))[""]
    slow, fast, part = (statistics.median(each.medians) for each in (*times.values(), alone))
    return f"{1e3 * slow:.3g} / {1e3 * fast:.3g} | {ratio(*times.values()):.2f}x | {part / slow:.0%}"


def row(name, seconds):
    cases = {way: built(name, way) for way in ("torch", "elman")}
    expected, found = (results(case) for case in cases.values())
    off = [deviation(found[each], expected[each]) for each in expected]
    if not max(off) < 1e-4:
        raise SystemExit(f"{name}: answer and gradient differ by {off} of their norm, so that no time is reported")
    columns = [timed(cases, infer, seconds)]
    if cases["torch"].loss:
        for case in cases.values():
            case.module.train()
        columns.append(timed(cases, train, seconds))
    return (
        f"| {name} | {' | '.join(columns + ['| |'] * (2 - len(columns)))} | {' '.join(f'{each:.0e}' for each in off)} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}; all without")
    parser.add_argument("--seconds", type=float, default=8.0, help="that each column of a row is measured")
    given = parser.parse_args()
    if unknown := set(given.models) - set(MODELS):
        parser.error(f"no model {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    print("| ms, torch.nn / Elman | inference | | recurrent | training step | | recurrent | differ by |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in given.models or MODELS:
        try:
            print(row(name, given.seconds), flush=True)
        except MissingError as error:
            print(f"{name} {error}", flush=True)


if __name__ == "__main__":
    main()
