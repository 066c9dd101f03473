/** The reference of all configuration keys, as Markdown, from the schema. */
import type { SchemaNode } from './kinds.ts'
import { expectation } from './problems.ts'
import { ConfigSchema } from './schema.ts'

const INTRODUCTION = `# Configuration

One YAML file, the same for \`run\` and \`bootstrap\`. \`examon-dec check config FILE\` checks it and says in plain words
what it will read and write. An unknown key is an error. Every mistake is reported at once, with file, line and column.

- Paths are relative to the folder of the file.
- Durations are whole numbers with a unit: \`90s\`, \`15m\`, \`2h\`, \`1d\`.
- \`\${NAME}\` in a value stands for the environment variable NAME, which must be set; \`$\${\` stands for \`\${\` itself.
  Within \`[…]\` and \`{…}\` put the value in quotes.
- A value that is a secret may also be \`file:PATH\`, the first line of that file. Secrets are never printed.
`

/** Markdown of every key: what it means, what it may be, its default; in the order of the schema. */
export function configReference(): string {
  const root = ConfigSchema as unknown as SchemaNode
  const sections: string[] = []
  const top: [string, SchemaNode][] = []
  for (const [key, node] of Object.entries(root.properties ?? {})) {
    if (node.type === 'object') sections.push(renderSection(key, node, 2))
    else if (node.items?.oneOf)
      sections.push(renderSection(`${key}[]`, { ...node.items, ...pickText(node) }, 2))
    else top.push([key, node])
  }
  return `${[INTRODUCTION.trimEnd(), '## Top level', renderKeys(top), ...sections].join('\n\n')}\n`
}

function pickText(node: SchemaNode): SchemaNode {
  return node.description === undefined ? {} : { description: node.description }
}

/** A heading, the section's own keys, then the sections within and its variants. */
function renderSection(name: string, node: SchemaNode, depth: number): string {
  const parts = [`${'#'.repeat(depth)} ${name}`, node.description ?? '']
  const entries = Object.entries(node.properties ?? {})
  const keys = entries.filter(([, inner]) => inner.type !== 'object')
  if (keys.length > 0) parts.push(renderKeys(keys))
  for (const [key, inner] of entries) {
    if (inner.type === 'object') parts.push(renderSection(`${name}.${key}`, inner, depth + 1))
  }
  for (const variant of node.oneOf ?? []) {
    parts.push(renderSection(`${name}, type: ${variant.properties?.type?.const}`, variant, depth + 1))
  }
  return parts.join('\n\n')
}

function renderKeys(entries: readonly (readonly [string, SchemaNode])[]): string {
  const rows = entries
    .filter(([, node]) => node.const === undefined)
    .map(([key, node]) =>
      [`\`${key}\``, withUnit(node), fallback(node), meaning(node)].map((cell) =>
        cell.replaceAll('|', '\\|'),
      ),
    )
  const lines = [['key', 'value', 'default', 'meaning'], ['---', '---', '---', '---'], ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function withUnit(node: SchemaNode): string {
  return node['x-unit'] ? `${expectation(node)} (${node['x-unit']})` : expectation(node)
}

function fallback(node: SchemaNode): string {
  if (node.default !== undefined) return `\`${JSON.stringify(node.default).replaceAll('"', '')}\``
  return node['x-otherwise'] ?? '–'
}

function meaning(node: SchemaNode): string {
  const examples = (node.examples ?? []).map((example) => `\`${flow(example)}\``)
  return `${node.description ?? ''}${examples.length > 0 ? ` For example ${examples.join(', ')}.` : ''}`
}

/** A value as one writes it in YAML. */
function flow(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(flow).join(', ')}]` : String(value)
}
