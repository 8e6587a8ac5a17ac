"""`charrnn completion`."""

from __future__ import annotations

import os
from pathlib import PurePath

import click

from charrnn import advice
from charrnn.errors import ConfigError

SHELLS = ("bash", "zsh", "fish")

BASH = r"""
_charrnn_completion() {
    local word previous line begun breaks=
    local -a words=() response=() files=()
    local -i i
    # Words as charrnn has them: bash cuts them at '=' and ':' too.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 1)) && [[ $word == [=:]* || $previous == *[=:] ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        previous=$word
    done
    begun=${words[${#words[@]}-1]}
    mapfile -t response < <(
        COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) _CHARRNN_COMPLETE=bash_complete "$1" 2>/dev/null
    )
    COMPREPLY=()
    for line in "${response[@]}"; do
        case $line in
            file,*) mapfile -t files < <(compgen -f -- "$begun") ;;
            dir,*) mapfile -t files < <(compgen -d -- "$begun") ;;
            *) COMPREPLY+=("${line#*,}"); [[ $line == *= ]] && compopt -o nospace
               [[ -e ${line#*,} ]] && compopt -o filenames ;;
        esac
    done
    if ((${#files[@]})); then
        compopt -o filenames
        for word in "${files[@]}"; do
            [[ " ${COMPREPLY[*]} " == *" $word "* ]] || COMPREPLY+=("$word")
        done
    elif ((!${#COMPREPLY[@]})) && [[ ${response[*]} == *file,* ]]; then
        compopt -o default  # what bash finds, such as names with quotes
    fi
    # The reply takes the place of what stands behind the last of bash's own breaks.
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
    if [[ $breaks && $begun == *[$breaks]* ]]; then
        previous=${begun%"${begun##*[$breaks]}"}
        COMPREPLY=("${COMPREPLY[@]#"$previous"}")
    fi
}
complete -F _charrnn_completion charrnn
""".lstrip()
"""The script of click cuts words at `=`, so that no value of `--set KEY=` could be completed; this one does not."""

ZSH = r"""
#compdef charrnn
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }
_charrnn_completion() {
    local -a response plain described keys
    local type value help files=
    (( $+commands[charrnn] )) || return 1
    response=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) _CHARRNN_COMPLETE=zsh_complete charrnn)}")
    for type value help in $response; do
        case $type in
            plain)
                if [[ $value == *= ]]; then
                    keys+=("$value:$help")
                elif [[ $help == _ ]]; then
                    plain+=("$value")
                else
                    described+=("$value:$help")
                fi ;;
            *) files=1 ;;
        esac
    done
    (( $#described )) && _describe -V what described
    (( $#keys )) && _describe -V key keys -S ''
    (( $#plain )) && compadd -V what -a plain
    if [[ -n $files ]]; then _files; fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _charrnn_completion "$@"
else
    compdef _charrnn_completion charrnn
fi
""".lstrip()
"""The script of click puts a blank behind `KEY=`, and needs a shell that completes already; this one does neither."""


@click.command("completion", short_help="Let your shell complete what you type.")
@click.argument("shell", required=False, type=click.Choice(SHELLS), metavar="[bash|zsh|fish]")
def command(shell: str | None) -> None:
    """Print what lets your shell complete commands, options, runs, texts, configurations and keys.

    Add the line for your shell to its start-up file: ~/.bashrc, ~/.zshrc, or ~/.config/fish/config.fish. Without a name
    it is for the shell that SHELL names.

    \b
    eval "$(charrnn completion bash)"
    eval "$(charrnn completion zsh)"
    charrnn completion fish | source
    """  # noqa: D301  # click wants the backspace itself
    shell = shell or PurePath(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        raise ConfigError(
            f"{f'{shell!r} is no shell' if shell else 'no shell is named'} that is known here; name one of "
            f"{', '.join(SHELLS)}, as in {advice.command('completion', 'bash')}"
        )
    click.echo(script(shell), nl=False)


def script(shell: str) -> str:
    """Returns the script for a shell."""
    from click.shell_completion import FishComplete

    if shell == "fish":
        return FishComplete(click.Command("charrnn"), {}, "charrnn", "_CHARRNN_COMPLETE").source().strip() + "\n"
    return BASH if shell == "bash" else ZSH
