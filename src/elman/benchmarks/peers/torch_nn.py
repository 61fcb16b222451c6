"""torch.nn's own layers: what is right, and what most people use."""

from elman.benchmarks import modules
from elman.benchmarks.base import Work
from elman.benchmarks.peers.base import Peer
from elman.benchmarks.problem import Problem


class TorchNN(Peer):
    name = "torch"
    packages = ("torch",)

    def forward(self, problem: Problem) -> Work:
        layer = problem.fresh_layer()
        return modules.forward(lambda x: layer(x)[0], problem.x)

    def training(self, problem: Problem) -> Work:
        layer = problem.fresh_layer()
        return modules.training(layer, lambda x: layer(x)[0], problem.x)

    def step(self, problem: Problem) -> Work:
        return modules.step(problem.step_layer(), problem.x[0])
