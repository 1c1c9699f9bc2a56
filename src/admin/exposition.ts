// Prometheus' text format, version 0.0.4: families, samples and escaping.

export type Labels = Readonly<Record<string, string>>;

const prefix = 'outrigger_';

/** Collects families one after the other; each sample belongs to the family begun last. */
export class Exposition {
  #text = '';
  #name = '';

  family(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): void {
    this.#name = prefix + name;
    this.#text += `# HELP ${this.#name} ${help}\n# TYPE ${this.#name} ${type}\n`;
  }

  /** `suffix` is for the series of a histogram. */
  sample(labels: Labels, value: number, suffix = ''): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    const set = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
    this.#text += `${this.#name}${suffix}${set} ${value}\n`;
  }

  /** One sample for each possible state: 1 for the present one, 0 for the others. */
  oneOf<S extends string>(labels: Labels, states: readonly S[], present: S): void {
    for (const state of states) this.sample({ ...labels, state }, state === present ? 1 : 0);
  }

  text(): string {
    return this.#text;
  }
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
