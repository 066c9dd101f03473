/** One HTML file that needs nothing else: style and pictures inside, no script, no network. */
import { escapeText } from './escape.ts'
import { STYLE } from './page-style.ts'
import { modeMark } from './style.ts'

/** A piece of HTML, escaped already. */
export interface Html {
  html: string
}

export interface Section {
  /** Anchor: letters, digits and hyphens. */
  id: string
  title: string
  content: readonly Html[]
}

export interface Page {
  title: string
  /** One line below the title. */
  subtitle: string
  sections: readonly Section[]
  footer: string
}

/** The whole document. Its policy forbids the browser to load anything, whatever the text in it says. */
export function renderPage({ title, subtitle, sections, footer }: Page): string {
  const links = sections.map(({ id, title }) => `<a href="#${id}">${escapeText(title)}</a>`)
  const parts = sections.map(
    ({ id, title, content }) =>
      `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${escapeText(title)}</h2>\n${content.map(({ html }) => html).join('\n')}\n</section>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escapeText(title)}</h1><p class="sub">${escapeText(subtitle)}</p></header>
<nav aria-label="Sections">${links.join('')}</nav>
<main>
${parts.join('\n')}
</main>
<footer>${escapeText(footer)}</footer>
</body>
</html>
`
}

export function paragraph(text: string): Html {
  return { html: `<p>${escapeText(text)}</p>` }
}

export function list(items: readonly string[]): Html {
  return { html: `<ul>${items.map((item) => `<li>${escapeText(item)}</li>`).join('')}</ul>` }
}

/** A picture with what it shows and how to read it. `wide` ones scroll on a narrow screen instead of shrinking. */
export function figureOf(svg: string, caption: string, wide = false): Html {
  // In a page the namespace goes without saying.
  const inline = svg.replace(/ xmlns(?::xlink)?="[^"]*"/g, '')
  const body = wide ? `<div class="scroll" tabindex="0">${inline}</div>` : inline
  return {
    html: `<figure${wide ? ' class="wide"' : ''}>${body}<figcaption>${escapeText(caption)}</figcaption></figure>`,
  }
}

/** Figures side by side where there is room. */
export function gallery(figures: readonly Html[]): Html {
  return { html: `<div class="gallery">${figures.map(({ html }) => html).join('')}</div>` }
}

export interface Fact {
  name: string
  value: string
  /** A second line: interval, unit, what it is out of. */
  note?: string
}

/** Headline figures. */
export function cards(facts: readonly Fact[]): Html {
  const items = facts.map(
    ({ name, value, note }) =>
      `<div class="card"><dt>${escapeText(name)}</dt><dd>${escapeText(value)}${note === undefined ? '' : `<small>${escapeText(note)}</small>`}</dd></div>`,
  )
  return { html: `<dl class="cards">${items.join('')}</dl>` }
}

export function factList(facts: readonly Fact[]): Html {
  const items = facts.map(({ name, value }) => `<dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd>`)
  return { html: `<dl class="facts">${items.join('')}</dl>` }
}

export interface TableColumn {
  title: string
  /** Below the title. */
  unit?: string
  /** Numbers align to the right. */
  numeric?: boolean
}

/** A cell with a second, smaller line. */
export interface NotedCell {
  title: string
  note: string
}

/** A table; `strong` rows stand out. The first cell of a row is its header. */
export function tableOf(
  columns: readonly TableColumn[],
  rows: readonly { cells: readonly (string | Html | NotedCell)[]; strong?: boolean }[],
): Html {
  const kind = (column: TableColumn | undefined) => (column?.numeric ? ' class="number"' : '')
  const head = columns.map((column) => {
    const unit = column.unit === undefined ? '' : `<small>${escapeText(column.unit)}</small>`
    return `<th scope="col"${kind(column)}>${escapeText(column.title)}${unit}</th>`
  })
  const body = rows.map(({ cells, strong }) => {
    const inner = cells.map((cell, c) => {
      const text = cellHtml(cell)
      return c === 0 ? `<th scope="row">${text}</th>` : `<td${kind(columns[c])}>${text}</td>`
    })
    return `<tr${strong ? ' class="strong"' : ''}>${inner.join('')}</tr>`
  })
  return {
    html: `<div class="scroll" tabindex="0"><table><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`,
  }
}

function cellHtml(cell: string | Html | NotedCell): string {
  if (typeof cell === 'string') return escapeText(cell)
  if ('html' in cell) return cell.html
  return cell.note === ''
    ? escapeText(cell.title)
    : `${escapeText(cell.title)}<small>${escapeText(cell.note)}</small>`
}

/** Text that stays on one line. */
export function nowrap(text: string): Html {
  return { html: `<span class="nowrap">${escapeText(text)}</span>` }
}

/** Number, mark and name of a mode, as the pictures have them. */
export function modeLabel(mode: number, name: string): Html {
  const { colour, shape } = modeMark(mode)
  const mark = `<svg class="mark" viewBox="-5 -5 10 10" aria-hidden="true"><path d="${SHAPE_PATHS[shape] ?? SHAPE_PATHS.circle}" fill="${colour}"/></svg>`
  return { html: `${mark}<b>${mode}</b> ${escapeText(name)}` }
}

const SHAPE_PATHS: Readonly<Record<string, string>> = {
  circle: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0',
  square: 'M-3.5 -3.5h7v7h-7z',
  'triangle-up': 'M0 -4L4.4 3.6H-4.4z',
  diamond: 'M0 -4.6L4 0L0 4.6L-4 0z',
  'triangle-down': 'M0 4L4.4 -3.6H-4.4z',
  cross: 'M-1.5 -4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z',
}

/** A list of checks, each with a word and a sign for its outcome. */
export function checks(items: readonly { outcome: 'passed' | 'warning'; text: string }[]): Html {
  const lines = items.map(
    ({ outcome, text }) =>
      `<li class="${outcome}"><span aria-hidden="true">${outcome === 'passed' ? '✓' : '!'}</span> <b>${outcome}</b> ${escapeText(text)}</li>`,
  )
  return { html: `<ul class="checks">${lines.join('')}</ul>` }
}
