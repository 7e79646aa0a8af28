"""Gradient descent over FBNet's blocks under a limit on latency: the table of the target is asked for once."""

import torch
from cells import options

from latcast import Client, Feasible
from latcast.adapters.differentiable import ExpectedLatency

STEPS = 400
asked = options(__doc__)
with Client(asked.server) as client:
    target = client.find_target(asked.target)
    table = target.lookup_table("fbnet")
    print(f"A sum explains {table['explained_variance']:.1%} of the variance of the latencies.")
    latency = ExpectedLatency(table)
    # A stand-in for a supernet's loss: how much each of the nine blocks expands.
    quality = torch.tensor([1.0, 1.0, 3.0, 6.0, 1.2, 1.2, 3.2, 6.2, 0.0])
    logits = torch.zeros(len(latency.names), len(quality), requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.05)
    for step in range(STEPS):
        weights = torch.softmax(logits / max(0.05, 1 - step / STEPS), dim=1)
        over = torch.relu(latency(weights) / (0.97 * asked.limit_ms) - 1)
        loss = -(weights * quality).sum(dim=1).mean() + 200 * over
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    chosen = [names[int(place)] for names, place in zip(latency.names, logits.argmax(dim=1), strict=True)]
    text = "|".join(chosen)
    judgement = Feasible(target, asked.limit_ms, asked.probability, space="fbnet").judge([text])
print(f"{float(judgement.forecasts.latency_ms[0]):7.2f} ms  P(limit) {float(judgement.probability[0]):.2f}  {text}")
