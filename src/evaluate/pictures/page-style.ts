import { BLUE, FONT, GREY, GRID, INK, MUTED, PAPER } from './style.ts'

/** Colours of pictures that read on white only, and what they become in the dark. */
const IN_THE_DARK: Readonly<Record<string, string>> = {
  [PAPER]: '#14181d',
  [INK]: '#e8ebee',
  [MUTED]: '#a3adb7',
  [GRID]: '#2d343c',
  [GREY]: '#7d8791',
  [BLUE]: '#4aa3df',
}

const darkPictures = Object.entries(IN_THE_DARK)
  .map(([light, dark]) => `svg [fill="${light}"]{fill:${dark}}svg [stroke="${light}"]{stroke:${dark}}`)
  .join('\n')

/** The style sheet of a page. Printed, it is always light. */
export const STYLE = `
:root{--paper:#ffffff;--ink:${INK};--muted:${MUTED};--line:#d5dae0;--card:#f5f7f9;--accent:#0b62a0;--good:#00694d;--bad:#a84300}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem clamp(.8rem,3vw,2rem) 3rem;max-width:80rem;background:var(--paper);color:var(--ink);font:16px/1.5 ${FONT}}
h1{font-size:1.6rem;line-height:1.2;margin:.6rem 0 .2rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-bottom:.25rem;border-bottom:1px solid var(--line)}
p{max-width:46rem;margin:.4rem 0 .8rem}
.sub{color:var(--muted);overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.9rem}
a{color:var(--accent)}
figure{margin:0 0 1.2rem;min-width:0;max-width:30rem}
figure.wide{max-width:none}
figcaption{color:var(--muted);font-size:.88rem;max-width:46rem;margin-top:.3rem}
figure svg{display:block;max-width:100%;height:auto}
.scroll{overflow-x:auto}
.wide .scroll svg{max-width:none}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),24rem));justify-content:start;gap:.6rem 1.4rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.2rem,1fr));gap:.6rem;margin:1rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
.card dt{color:var(--muted);font-size:.85rem}
.card dd{margin:0;font-size:1.5rem;font-variant-numeric:tabular-nums;line-height:1.25}
.card small{display:block;font-size:.8rem;color:var(--muted);line-height:1.35}
.facts{display:grid;grid-template-columns:minmax(7rem,max-content) 1fr;gap:.15rem 1.2rem;margin:.6rem 0}
.facts dt{color:var(--muted)}
.facts dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;margin:.4rem 0 1rem}
th,td{padding:.28rem .7rem;text-align:left;border-bottom:1px solid var(--line);font-weight:400;vertical-align:top}
thead th{color:var(--muted);border-bottom-color:var(--muted);vertical-align:bottom}
th small,td small{display:block;font-size:.82em;color:var(--muted)}
tbody th{min-width:11rem}
.nowrap{white-space:nowrap}
.number{text-align:right;white-space:nowrap}
.strong th,.strong td{font-weight:650;background:var(--card)}
.mark{width:.85em;height:.85em;margin-right:.4em;vertical-align:-.05em}
.checks{list-style:none;padding:0;margin:.6rem 0}
.checks li{padding:.15rem 0 .15rem 1.6rem;position:relative;overflow-wrap:anywhere}
.checks span{position:absolute;left:0;width:1.15rem;height:1.15rem;margin-top:.2rem;border-radius:50%;color:#fff;font-size:.75rem;font-weight:700;line-height:1.15rem;text-align:center;background:var(--good)}
.checks .warning span{background:var(--bad)}
.checks .passed b{color:var(--good)}.checks .warning b{color:var(--bad)}
footer{margin-top:2.5rem;padding-top:.6rem;border-top:1px solid var(--line);color:var(--muted);font-size:.85rem}
@media screen and (prefers-color-scheme:dark){
:root{--paper:#14181d;--ink:#e8ebee;--muted:#a3adb7;--line:#343c45;--card:#1c2229;--accent:#7cc0f0;--good:#4cc79b;--bad:#ff9a57}
.checks span{color:#14181d}
${darkPictures}
}
@media print{
body{max-width:none;font-size:11pt;padding:0}
nav{display:none}
h2{break-after:avoid}
figure,tr,.card{break-inside:avoid}
.scroll{overflow:visible}
.wide .scroll svg{max-width:100%}
.gallery{grid-template-columns:repeat(auto-fill,minmax(58mm,1fr))}
.cards{grid-template-columns:repeat(4,1fr)}
table{font-size:8pt}
th,td{padding:.2rem .4rem}
tbody th{min-width:8rem}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
`
