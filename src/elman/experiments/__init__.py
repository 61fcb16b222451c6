"""What textbooks claim about recurrent networks, made into measurements: one file each, and one entry here.

    base        what an experiment is
    problems    the adding problem, delayed recall
    learning    a small training loop, and ways to start a layer
    texts       problems cut from the text that ships with Elman
    writing     a network that writes words
    wirings     a small model for each topology, beside a naive baseline
    suite       run an experiment, keep its result, write docs/claims.md from what is kept

This room knows texts, cells, layers and the diagnosis; nothing of runs, tasks or the command line.
"""

from typing import TYPE_CHECKING

from elman.errors import UsageError
from elman.names import Entry, nearest

if TYPE_CHECKING:
    from elman.experiments.base import Experiment


EXPERIMENTS = {
    "internal-memory": Entry(
        "internal_memory:InternalMemory", "does a recurrent network remember, and is it the only one that does"
    ),
    "causality": Entry("causality:Causality", "does an output depend on all inputs before it, and on none after"),
    "tied-weights": Entry(
        "tied_weights:TiedWeights", "is it a feed-forward network with tied weights, whose gradients add up"
    ),
    "context": Entry("context:Context", "does it help to know the previous symbols, and how many of them"),
    "lengths": Entry("lengths:Lengths", "does a network that was trained on short sequences work on longer ones"),
    "memory": Entry("memory:Memory", "over which lags do tanh, ReLU, LSTM and GRU remember, at equal parameters"),
    "topologies": Entry(
        "topologies:Topologies", "from one-to-one to synced many-to-many: does each learn, and how do they differ"
    ),
    "convolution": Entry("convolution:Convolution", "does recurrence widen the pixel neighbourhood of a convolution"),
    "radius": Entry("radius:Radius", "does the spectral radius decide whether gradients vanish or explode"),
    "gates": Entry("gates:Gates", "do ReLU, LSTM and GRU help against vanishing gradients, as they come"),
    "consequences": Entry(
        "consequences:Consequences", "what vanishing and exploding gradients lead to, with and without the remedy"
    ),
    "truncation": Entry("truncation:Truncation", "what truncated back-propagation costs, saves and cannot learn"),
    "clipping": Entry("clipping:Clipping", "does clipping to a threshold stop explosions"),
    "rmsprop": Entry("rmsprop:RMSprop", "does RMSprop find the rate by itself"),
    "remedies": Entry("remedies:Remedies", "does each remedy act on its own problem, and on no other"),
    "planted-faults": Entry(
        "planted_faults:PlantedFaults", "does the diagnosis name a planted fault, and does its remedy cure it"
    ),
}


def find(name: str) -> "Experiment":
    """Return the experiment of that name; UsageError says which there are. Its file is imported only now."""
    if name not in EXPERIMENTS:
        hint = nearest(name, EXPERIMENTS, f"; there are: {', '.join(EXPERIMENTS)}")
        raise UsageError(f"no experiment is called {name!r}{hint}")
    experiment: Experiment = EXPERIMENTS[name].make("elman.experiments.")
    return experiment
