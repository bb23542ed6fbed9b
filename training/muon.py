"""Muon (Jordan 2024): momentum whose every matrix is made orthogonal before it is applied."""
import torch


def orthogonal(g, steps=5):
    """The nearest semi-orthogonal matrix, roughly: a quintic Newton-Schulz iteration in bfloat16."""
    x = g.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall: x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """For matrices, or stacks of them [n, rows, columns]. Nesterov momentum, decoupled weight decay."""

    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(parameters, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                m.lerp_(p.grad, 1 - group["momentum"])
                g = p.grad.lerp(m, group["momentum"])
                p.mul_(1 - group["lr"] * group["weight_decay"])
                for matrix, update in zip(*((t if t.dim() == 3 else t[None]) for t in (p, g))):
                    scale = max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5
                    matrix.add_(orthogonal(update), alpha=-group["lr"] * scale)
