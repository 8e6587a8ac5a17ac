"""Which key is meant by a name that is none: a slip of the hand, a key without its section, or what others call it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

OTHERS = {
    "task.name": "task kind mode problem objective",
    "data.encoding": "charset codec codepage",
    "data.split": "train_frac val_frac test_frac train_split val_split validation_split test_split split_ratio",
    "data.documents": "separator delimiter sep document_separator",
    "data.columns": "column cols fields",
    "data.validation": "val valid dev val_file valid_file validation_file val_data validation_data",
    "data.test": "test_file test_data",
    "data.max_vocab": "vocab vocab_size max_vocab_size vocabulary_size",
    "data.min_count": "min_freq min_frequency",
    "model.cell": "cell rnn rnn_type rnn_cell cell_type model model_type type unit arch architecture",
    "model.hidden_size": "hidden hidden_dim hidden_units hidden_width num_hidden n_hidden nhid rnn_size num_units "
    "units size dim width d_model state_size",
    "model.num_layers": "layers layer n_layers nlayers num_layer n_layer layer_num depth",
    "model.embedding_size": "embedding embeddings embedding_dim embed_size embed_dim embed emb emb_size emsize "
    "wordvec_size",
    "model.dropout": "drop drop_prob dropout_rate dropout_prob p_drop",
    "model.recurrent_dropout": "rnn_dropout variational_dropout",
    "model.bidirectional": "bidir bi both_ways",
    "model.layer_norm": "layernorm ln normalization norm layer_normalization",
    "model.activation": "act nonlinearity activation_function",
    "model.attention": "attn attention_type",
    "model.pooling": "pool",
    "model.init": "initializer initialization weight_init init_type",
    "train.batch_size": "batch batchsize batches bs minibatch mini_batch minibatch_size mb_size",
    "train.seq_length": "seq seq_len seqlen sequence_length bptt bptt_steps tbptt block_size context_length "
    "context_size chunk_len chunk_size window window_size maxlen max_len unroll unroll_steps num_steps "
    "time_steps timesteps",
    "train.epochs": "epoch max_epochs max_epoch num_epochs n_epochs nepochs nb_epochs passes",
    "train.iterations": "iters iter iteration max_iters max_iter num_iters n_iters max_iterations num_iterations steps "
    "max_steps train_steps total_steps updates",
    "train.time_budget": "time max_time time_limit timeout budget",
    "train.seed": "random_seed manual_seed random_state rng",
    "train.threads": "workers num_workers n_workers cpus cores jobs n_jobs processes num_threads nthreads",
    "train.layout": "grid mesh tensor_parallel data_parallel parallel",
    "train.dtype": "precision float_type data_type",
    "train.eval_every": "eval_interval eval_freq eval_val_every eval_steps val_every valid_every validate_every "
    "log_interval print_every",
    "train.checkpoint_every": "save_every save_interval save_freq save_steps checkpoint_interval",
    "train.patience": "early_stopping early_stop",
    "train.accumulate": "accumulation grad_accum gradient_accumulation gradient_accumulation_steps "
    "accumulate_grad_batches grad_accum_steps accumulation_steps accum_iter update_freq",
    "optim.name": "optim opt optimizer optimiser optimizer_name algorithm solver",
    "optim.learning_rate": "lr learningrate rate step_size eta base_lr max_lr initial_lr",
    "optim.schedule": "scheduler lr_scheduler lr_schedule decay_type lr_policy",
    "optim.warmup": "warmup_steps warmup_iters warmup_iterations num_warmup_steps",
    "optim.min_learning_rate": "min_lr final_lr end_lr eta_min",
    "optim.decay": "decay_rate lr_decay learning_rate_decay gamma",
    "optim.decay_after": "learning_rate_decay_after lr_decay_after",
    "optim.decay_every": "lr_decay_every decay_steps",
    "optim.clip_norm": "clip grad_clip gradclip clip_grad clip_grad_norm clip_gradients clipnorm max_norm "
    "max_grad_norm gradient_clip gradient_clipping grad_norm clipping",
    "optim.clip_value": "clipvalue clip_grad_value",
    "optim.alpha": "rho smoothing",
    "optim.beta1": "beta betas beta_1 adam_beta1 b1",
    "optim.beta2": "beta_2 adam_beta2 b2",
    "optim.eps": "epsilon adam_eps adam_epsilon",
    "optim.weight_decay": "wd l2 l2_reg weight_penalty regularization",
    "optim.average": "ema ema_decay averaging polyak moving_average swa",
}
"""What other programs call a key, beside its own name; keys that are not there are passed over."""


def meant(path: str, known: Iterable[str]) -> str | None:
    """Returns the key of those known that a name, with or without a section, most likely means; None for none."""
    known = [*known]
    if exactly := named(path, known):
        return exactly
    spelled = _spelled(path)
    close = difflib.get_close_matches(spelled, known, n=1, cutoff=0.6)
    if not close:  # a slip in a key without its section, or in a wrong one
        tails = {key.rpartition(".")[2]: key for key in known}
        close = [tails[tail] for tail in difflib.get_close_matches(spelled.rpartition(".")[2], tails, n=1, cutoff=0.6)]
    return close[0] if close else None


def named(path: str, known: Iterable[str]) -> str | None:
    """Returns the key of those known that has this name, in the words of others too; None where none has."""
    spelled = _spelled(path)
    last = spelled.rpartition(".")[2]
    known = [*known]
    exact = [key for key in known if key == spelled]
    own = [key for key in known if key.rpartition(".")[2] == last and last != "name"]
    others = [key for key in known if last in OTHERS.get(key, "").split()]
    joined = [key for key in known if key.replace(".", "_") == spelled]
    for keys in (exact, _of_section(own, spelled), _of_section(others, spelled), joined):
        if keys:
            return keys[0]
    return None


def _spelled(path: str) -> str:
    """Returns a name in the way keys are written."""
    return path.strip().strip("-").replace("-", "_").casefold()


def _of_section(keys: Sequence[str], path: str) -> list[str]:
    """Returns the keys, first of all those of the section that is named."""
    section = path.rpartition(".")[0]
    return sorted(keys, key=lambda key: key.partition(".")[0] != section)


def nearest_value(value: str, choices: Iterable[str]) -> str | None:
    """Returns the choice that a word most likely means, in whatever case; None for none."""
    spelled = {choice.casefold(): choice for choice in choices}
    typed = value.casefold().replace("-", "_").replace(" ", "_")
    near = [typed] if typed in spelled else difflib.get_close_matches(typed, spelled, n=1)
    return spelled[near[0]] if near else None
