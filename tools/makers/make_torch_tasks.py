"""Makes torch_tasks.npz: the networks of tasks in PyTorch 2.13 and float64, in the layout of charrnn. It needs torch.

Sequences are of unlike length, and are packed, so that PyTorch never reads padding; attention by dot products is one of
its own functions. Keys: `layouts`, by case the names and shapes of all parameters, as JSON; `{task}:{name}` for what
its batch is made of, `x`, `y`, `lengths` and so on; and for each case, which is called `{task}/{cell}/{how}`,

    {case}:params      all parameters, one after the other, in thousandths
    {case}:logits      of the answers, (B, K) or (T, B, K), zero in the padding
    {case}:loss        mean nats per answer
    {case}:grads       its gradients, in the order of the parameters
    {case}:losses      before the first and after each of five steps of plain gradient descent, at RATE

PyTorch has two biases where charrnn has one, their sum: b_hh is zero, and a hook keeps it so, save for n of the GRU,
where it is charrnn's b_hn.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot, scaled_dot_product_attention
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

V, K, H, E, B = 4, 3, 3, 2, 4
UPDATES, RATE = 5, 0.5
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}
LENGTHS, TARGET_LENGTHS = torch.tensor([3, 5, 1, 4]), torch.tensor([4, 1, 2, 3])


class Layers(nn.Module):
    """Recurrent layers over symbols, one-hot or embedded, and what else they are told at every step."""

    def __init__(self, cell: str, symbols: int, place: str = "", *, both=True, told=0, embedded=False, num_layers=1):
        super().__init__()
        self.symbols, self.place, self.both = symbols, place, both
        self.embedding = nn.Embedding(symbols, E) if embedded else None
        width = (E if embedded else symbols) + told
        self.recurrent = CELLS[cell](width, H, bidirectional=both, num_layers=num_layers)

    def forward(self, ids, lengths, told=None):
        """The outputs (T, B, .), zero in the padding, and the last state of the top layer."""
        x = one_hot(ids, self.symbols).double() if self.embedding is None else self.embedding(ids)
        if told is not None:
            x = torch.cat([x, told.expand(len(ids), *told.shape)], dim=2)
        packed, state = self.recurrent(pack_padded_sequence(x, lengths, enforce_sorted=False))
        outputs, _ = pad_packed_sequence(packed)
        h = state[0] if isinstance(state, tuple) else state
        return outputs, torch.cat([*h[-2:]], dim=1) if self.both else h[-1]

    def prepare(self) -> None:
        """Makes b_hh zero for good, but for what is b_hn of the GRU."""
        for name, parameter in self.recurrent.named_parameters():
            if name.startswith("bias_hh"):
                kept = torch.zeros_like(parameter)
                if isinstance(self.recurrent, nn.GRU):
                    kept[2 * H :] = 1
                parameter.data *= kept
                parameter.register_hook(lambda gradient, kept=kept: gradient * kept)

    def ours(self, read):
        """The parameters, or what `read` returns for each of them, under charrnn's names."""
        if self.embedding is not None:
            yield f"{self.place}embedding", read(self.embedding.weight)
        for layer in range(self.recurrent.num_layers):
            for suffix, way in (("", ""), ("_reverse", "reverse."))[: 1 + self.both]:
                end = f"l{layer}{suffix}"
                names = "weight_hh", "weight_ih", "bias_ih", "bias_hh"
                of = {name: read(getattr(self.recurrent, f"{name}_{end}")) for name in names}
                prefix = f"{self.place}layers.{layer}.{way}"
                yield prefix + "W", np.concatenate([of["weight_hh"].T, of["weight_ih"].T])
                yield prefix + "b", of["bias_ih"]
                if isinstance(self.recurrent, nn.GRU):
                    yield prefix + "b_hn", of["bias_hh"][2 * H :]


def pooled(how, outputs, last, lengths):
    """One vector (B, .) for each row."""
    if how == "last":
        return last
    inside = (torch.arange(len(outputs))[:, None] < lengths)[:, :, None]
    if how == "mean":
        return torch.where(inside, outputs, 0).sum(0) / lengths[:, None]
    return torch.where(inside, outputs, -torch.inf).amax(0)


class Classify(nn.Module):
    """How is "last", "mean" or "max"."""

    def __init__(self, cell: str, how: str):
        super().__init__()
        self.how, self.layers, self.head = how, Layers(cell, V), nn.Linear(2 * H, K)

    def forward(self, batch):
        return self.head(pooled(self.how, *self.layers(batch["x"], batch["lengths"]), batch["lengths"]))

    def ours(self, read):
        yield from self.layers.ours(read)
        yield from linear("head", self.head, read)


class Tag(nn.Module):
    """How is "one-hot" or "embedded"; the latter has two layers."""

    def __init__(self, cell: str, how: str):
        super().__init__()
        embedded = how == "embedded"
        self.layers = Layers(cell, V, embedded=embedded, num_layers=1 + embedded)
        self.head = nn.Linear(2 * H, K)

    def forward(self, batch):
        return self.head(self.layers(batch["x"], batch["lengths"])[0])

    ours = Classify.ours


class Transduce(nn.Module):
    """How is what the decoder knows of the source: "last", "affine-mean", ..., "dot" or "additive"."""

    def __init__(self, cell: str, how: str):
        super().__init__()
        self.how, self.pooling = how, how.partition("-")[2] or "last"
        self.looks = how in ("dot", "additive")
        embedded = how == "additive"
        self.encoder = Layers(cell, V, "encoder.", embedded=embedded)
        self.context = None if how == "last" else nn.Linear(2 * H, H)
        told = 2 * H if how == "last" else H
        self.decoder = Layers(cell, K, "decoder.", both=False, told=told, embedded=embedded)
        self.key = nn.Linear(2 * H, H, bias=False) if self.looks else None
        self.query = nn.Linear(H, H, bias=False) if how == "additive" else None
        self.v = nn.Parameter(torch.empty(H)) if how == "additive" else None
        self.output = nn.Linear(3 * H, H) if self.looks else None
        self.head = nn.Linear(H, K)

    def forward(self, batch):
        encoded, last = self.encoder(batch["source"], batch["source_lengths"])
        summary = pooled(self.pooling, encoded, last, batch["source_lengths"])
        h, _ = self.decoder(batch["x"], batch["lengths"], summary if self.context is None else self.context(summary))
        return self.head(self.look(h, encoded, batch["source_lengths"]) if self.looks else h)

    def look(self, h, encoded, lengths):
        h, encoded = h.swapaxes(0, 1), encoded.swapaxes(0, 1)
        inside = torch.arange(encoded.shape[1]) < lengths[:, None]
        if self.how == "dot":
            seen = scaled_dot_product_attention(h, self.key(encoded), encoded, attn_mask=inside[:, None], scale=1.0)
        else:
            scores = torch.tanh(self.query(h)[:, :, None] + self.key(encoded)[:, None]) @ self.v
            seen = torch.softmax(scores.masked_fill(~inside[:, None], -torch.inf), dim=2) @ encoded
        return torch.tanh(self.output(torch.cat([h, seen], dim=2))).swapaxes(0, 1)

    def ours(self, read):
        yield from self.encoder.ours(read)
        yield from self.decoder.ours(read)
        if self.context is not None:
            yield from linear("context", self.context, read)
        if self.looks:
            yield "attention.W", read(self.key.weight).T
        if self.query is not None:
            yield "attention.query.W", read(self.query.weight).T
            yield "attention.v", read(self.v)
        if self.looks:
            yield from linear("attention.output", self.output, read)
        yield from linear("head", self.head, read)


def linear(name: str, layer: nn.Linear, read):
    yield f"{name}.W", read(layer.weight).T
    yield f"{name}.b", read(layer.bias)


def batches() -> dict[str, dict[str, torch.Tensor]]:
    """What each task learns from. Padding holds symbols as good as any."""
    generator = torch.Generator().manual_seed(7)

    def ids(below: int, *shape: int) -> torch.Tensor:
        return torch.randint(below, shape, generator=generator)

    text, lengths = ids(V, int(LENGTHS.max()), B), LENGTHS
    sources = {"source": text, "source_lengths": lengths}
    shape = int(TARGET_LENGTHS.max()), B
    return {
        "classify": {"x": text, "lengths": lengths, "y": ids(K, B)},
        "tag": {"x": text, "lengths": lengths, "y": ids(K, len(text), B)},
        "transduce": {**sources, "x": ids(K, *shape), "lengths": TARGET_LENGTHS, "y": ids(K, *shape)},
    }


def loss_of(net: nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    logits = net(batch)
    if logits.ndim == 2:
        return logits, cross_entropy(logits, batch["y"])
    inside = torch.arange(len(logits))[:, None] < batch["lengths"]
    return torch.where(inside[:, :, None], logits, 0), cross_entropy(logits[inside], batch["y"][inside])


NETS = {"classify": Classify, "tag": Tag, "transduce": Transduce}
CASES = [
    *(("classify", cell, how) for how in ("last", "mean", "max") for cell in CELLS),
    *(("tag", "lstm", "one-hot"), ("tag", "gru", "embedded")),
    *(("transduce", "gru", "last"), ("transduce", "lstm", "affine-mean"), ("transduce", "gru", "affine-max")),
    *(("transduce", "lstm", "dot"), ("transduce", "gru", "additive")),
]


def main() -> None:
    torch.set_default_dtype(torch.float64)
    given, layouts = batches(), {}
    stored = {f"{task}:{name}": array.numpy() for task, batch in given.items() for name, array in batch.items()}
    stored["rate"] = np.array(RATE)
    for seed, (task, cell, how) in enumerate(CASES):
        case, generator = f"{task}/{cell}/{how}", torch.Generator().manual_seed(seed)
        net = NETS[task](cell, how)
        for parameter in net.parameters():
            parameter.data = torch.round(600 * torch.randn(*parameter.shape, generator=generator)) / 1000
        for module in net.modules():
            if isinstance(module, Layers):
                module.prepare()
        params = dict(net.ours(lambda parameter: parameter.detach().numpy().copy()))
        layouts[case] = {name: array.shape for name, array in params.items()}
        thousandths = np.concatenate([np.rint(1000 * array).ravel() for array in params.values()])
        stored[f"{case}:params"] = thousandths.astype(np.int16)
        logits, loss = loss_of(net, given[task])
        loss.backward()
        grads = dict(net.ours(lambda parameter: parameter.grad.numpy().copy()))
        stored[f"{case}:grads"] = np.concatenate([array.ravel() for array in grads.values()])
        stored[f"{case}:logits"], stored[f"{case}:loss"] = logits.detach().numpy(), loss.detach().numpy()
        descent, losses = torch.optim.SGD(net.parameters(), lr=RATE), [loss.item()]
        for _ in range(UPDATES):
            descent.step()
            descent.zero_grad()
            _, loss = loss_of(net, given[task])
            loss.backward()
            losses.append(loss.item())
        stored[f"{case}:losses"] = np.array(losses)
        print(f"{case}: {losses[0]:.3f} -> {losses[-1]:.3f}")
    stored["layouts"] = np.array(json.dumps(layouts))
    path = Path(__file__).parents[2] / "tests" / "fixtures" / "torch_tasks.npz"
    np.savez_compressed(path, **stored)
    print(f"PyTorch {torch.__version__}: {len(CASES)} cases, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
