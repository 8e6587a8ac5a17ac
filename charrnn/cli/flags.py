"""Flags for the keys that everybody sets, such as `--lr` for `optim.learning_rate`, and what is said of other flags.

Help and checks of a flag are those of its key, so that there is one place where each is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from charrnn.advice import word
from charrnn.config import reading
from charrnn.config.resolve import Setting
from charrnn.config.schema import keys

FLAGS = {
    "--epochs": "train.epochs",
    "--iterations": "train.iterations",
    "--time-budget": "train.time_budget",
    "--lr": "optim.learning_rate",
    "--optimizer": "optim.name",
    "--cell": "model.cell",
    "--hidden-size": "model.hidden_size",
    "--layers": "model.num_layers",
    "--dropout": "model.dropout",
    "--batch-size": "train.batch_size",
    "--seq-length": "train.seq_length",
    "--task": "task.name",
    "--seed": "train.seed",
}
"""The key that each flag sets."""

METAVARS = {"--time-budget": "TIME", "--lr": "RATE", "--dropout": "P", "--cell": "CELL", "--optimizer": "NAME"}
"""What stands for the value of a flag in its help, where that is not N."""

OTHERS = {
    "model.hidden_size": "rnn_size hidden hidden_dim hidden_units num_hidden n_hidden nhid num_units units size",
    "model.num_layers": "n_layers nlayers num_layer n_layer depth",
    "model.dropout": "drop drop_prob dropout_rate dropout_prob",
    "model.cell": "rnn rnn_type rnn_cell cell_type model model_type type unit",
    "model.embedding_size": "embedding embedding_dim embed_size embed_dim emsize wordvec_size",
    "train.batch_size": "batch batchsize bs minibatch_size",
    "train.seq_length": "seq_len seqlen sequence_length bptt block_size context_length chunk_len maxlen num_steps",
    "train.epochs": "epoch max_epochs num_epochs n_epochs nepochs nb_epochs passes",
    "train.iterations": "iters max_iters num_iters n_iters max_iterations num_iterations steps max_steps updates",
    "train.time_budget": "time max_time time_limit timeout budget",
    "train.eval_every": "eval_interval eval_val_every validate_every log_interval print_every",
    "train.checkpoint_every": "save_every save_interval checkpoint_interval",
    "train.threads": "workers num_workers cpus cores jobs num_threads",
    "train.seed": "random_seed manual_seed",
    "optim.learning_rate": "learningrate rate step_size eta",
    "optim.name": "optim opt optimiser optimizer_name solver",
    "optim.clip_norm": "clip grad_clip clip_grad clip_grad_norm max_grad_norm gradient_clip",
    "optim.decay": "decay_rate lr_decay learning_rate_decay",
    "optim.decay_after": "learning_rate_decay_after lr_decay_after",
    "optim.decay_every": "lr_decay_every",
    "optim.weight_decay": "wd l2",
    "data.split": "train_frac val_frac val_split validation_split",
}
"""What other programs call a key, beside its own name."""

ELSEWHERE = {
    "data_dir data data_path data_file input input_file input_txt text text_file file filename corpus dataset "
    "train_file": "the text is named without an option: charrnn train FILE",
    "save_dir checkpoint_dir ckpt_dir model_dir output output_dir out_dir log_dir run_dir save save_path "
    "rundir": "-o RUN_DIR says where the run is kept",
    "gpu gpuid gpu_id gpus cuda device gpu_backend opencl no_cuda use_cuda": "charrnn computes on the cores of the "
    "processor (--set train.threads=N: on so many); leave it out",
    "checkpoint ckpt load load_from restore continue continue_from resume_from pretrained start_from": "-o RUN_DIR "
    "--resume continues a run, and --init-from CHECKPOINT begins one with its weights",
    "prime prime_text primetext start_text seed_text sample_len temperature": "charrnn sample, when the run is trained",
}
"""What other programs have a flag for and `train` has not, and where it is."""


def options(*flags: str) -> Callable[[Any], Any]:
    """Returns a decorator that gives a command these flags, by default all."""

    def decorate(command: Any) -> Any:
        for flag in reversed(flags or FLAGS):
            command = _option(flag)(command)
        return command

    return decorate


def _option(flag: str) -> Callable[[Any], Any]:
    """Returns the option of a flag, with the help of its key."""
    rules = keys()[FLAGS[flag]].metadata
    choices = rules["choices"]
    text = rules["help"].replace("`", "").partition(";")[0]
    return click.option(
        flag,
        metavar=METAVARS.get(flag, "NAME" if choices else "N"),
        help=f"{text[0].upper()}{text[1:]}{': ' + ', '.join(choices) if choices else ''} [{FLAGS[flag]}].",
        shell_complete=lambda ctx, param, begun: [CompletionItem(c) for c in choices if c.startswith(begun)],
    )


def take_settings(options: dict[str, Any]) -> list[Setting]:
    """Takes the flags out of the options of a command, and returns the settings that they ask for."""
    given = {flag: options.pop(flag.strip("-").replace("-", "_"), None) for flag in FLAGS}
    return [setting(flag, value) for flag, value in given.items() if value is not None]


def setting(flag: str, value: str) -> Setting:
    """Returns the setting that a flag asks for with a value, which is read as that of --set. Raises ConfigError."""
    read = reading.read_assignment(f"{FLAGS[flag]}={value}", flag)
    return Setting(FLAGS[flag], read.value, f"{flag} {reading.shortened(value)}")


def instead(option: str, known: Iterable[str]) -> str:
    """Says what to type in the place of an option that a command, which knows some and `--set`, has not.

    Empty where the option means nothing that we know of.
    """
    known = set(known)
    name = option.lstrip("-").partition("=")[0].replace("-", "_").lower()
    for words, advice in ELSEWHERE.items():
        if name in words.split() and "--resume" in known:
            return advice
    if (path := _key(name)) is None:
        return ""
    flag = next((flag for flag, key in FLAGS.items() if key == path and flag in known), None)
    return f"it is {flag} here" if flag else f"it is a key here: --set {word(path)}=VALUE"


def _key(name: str) -> str | None:
    """Returns the key that an option with underscores means: one of ours, with or without its section, or another's."""
    for flag, path in FLAGS.items():
        if flag.strip("-").replace("-", "_") == name:
            return path
    for path, others in OTHERS.items():
        if name in others.split():
            return path
    for path in keys():
        section, _, last = path.partition(".")
        if name in (path, f"{section}_{last}") or (name == last and last != "name"):
            return path
    return None
