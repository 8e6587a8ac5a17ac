"""The style of reports, beside that of all pages: letters to be read, tables, tiles, and how it prints."""

from __future__ import annotations

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68em; margin: 0 auto; padding: 1.5em 1.2em 3em }
h1 { font-size: 1.7em; margin: .3em 0 .1em }
h2 { font-size: 1.2em; margin: 2.2em 0 .7em; padding-top: .7em; border-top: 1px solid var(--line) }
h3 { font-size: 1em; margin: 1.4em 0 .4em }
p { max-width: 46em; margin: .5em 0 }
.soft, small { color: var(--soft) }
code, pre, .mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .88em; overflow-wrap: anywhere }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5em, 1fr)); gap: .7em; margin: 1.2em 0;
         padding: 0 }
.tiles div { background: var(--tint); border-radius: 6px; padding: .6em .8em }
.tiles dt { color: var(--soft); font-size: .85em }
.tiles dd { margin: 0; font-size: 1.3em; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.tiles dd small { display: block; font-size: .62em; font-weight: 400 }
.note { border-left: 4px solid var(--warm); padding: .1em .9em; margin: .8em 0; max-width: 46em }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19em, 100%), 1fr)); gap: 0 2.2em }
.wide { overflow-x: auto; margin: .6em 0 1em;  /* a shade where there is more than fits */
        background: linear-gradient(to right, var(--paper) 40%, transparent) 0 0 / 3em 100% no-repeat local,
                    linear-gradient(to left, var(--paper) 40%, transparent) 100% 0 / 3em 100% no-repeat local,
                    linear-gradient(to right, #8887, #8880) 0 0 / .9em 100% no-repeat scroll,
                    linear-gradient(to left, #8887, #8880) 100% 0 / .9em 100% no-repeat scroll }
table { border-collapse: collapse; font-size: .92em; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--soft); padding: 0 0 .5em; max-width: min(46em, 100vw - 2.6em) }
th, td { text-align: right; padding: .28em .8em; border-bottom: 1px solid var(--line); vertical-align: baseline }
th:first-child, td.text, th.text { text-align: left }
thead th { color: var(--soft); font-weight: 500; white-space: nowrap }
tbody th { font-weight: 400; min-width: 8.5em }
th code { white-space: nowrap }
tr.own th, tr.own td { font-weight: 700; background: var(--tint) }
td.bar { width: 38%; min-width: 6em; padding-right: 0 }
td.bar span { display: block; height: .75em; border-radius: 2px; background: var(--soft); opacity: .55 }
tr.own td.bar span { background: var(--accent); opacity: 1 }
pre { background: var(--tint); border-radius: 6px; padding: .7em .9em; margin: .2em 0 0; white-space: pre-wrap;
      line-height: 1.4 }
.samples { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24em, 100%), 1fr)); gap: 1em 1.4em }
.samples h3 { margin: 0; font-weight: 500; color: var(--soft); font-size: .9em }
details { margin: .8em 0 }
summary { cursor: pointer; color: var(--accent) }
a { color: var(--accent) }
footer { margin-top: 3em; color: var(--soft); font-size: .88em }
@media screen and (max-width: 34em) { .bar { display: none } th, td { padding: .28em .45em }
                                         tbody th { min-width: 7em } thead th { white-space: normal } }
@media print { .wide { overflow: visible; background: none } h2 { break-after: avoid }
               figure, .tiles, pre, tr { break-inside: avoid } }
"""
