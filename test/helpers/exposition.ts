/** Parses `/metrics` strictly: the Prometheus text format 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/ */

export interface Family {
	readonly type: string;
	readonly help: string;
	readonly samples: { readonly name: string; readonly labels: Record<string, string>; readonly value: number }[];
}

const endings: Readonly<Record<string, readonly string[]>> = {
	counter: [''],
	gauge: [''],
	histogram: ['_bucket', '_sum', '_count'],
	summary: ['', '_sum', '_count'],
};

/** @throws Error that names the first invalid line */
export function parseExposition(text: string): Map<string, Family> {
	if (!text.endsWith('\n')) throw new Error('The last line does not end.');
	const families = new Map<string, Family>();
	const seen = new Set<string>();
	let current: { name: string; help: string } | undefined;
	for (const line of text.split('\n')) {
		if (line === '') continue;
		const wrong = (why: string) => new Error(`${why}: ${line}`);
		const [, kind, about = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? [];
		if (kind === 'HELP') {
			if (families.has(about)) throw wrong('A family comes twice');
			current = { name: about, help: rest };
		} else if (kind === 'TYPE') {
			if (current?.name !== about || families.has(about) || !endings[rest]) throw wrong('A type without its help');
			families.set(about, { type: rest, help: current.help, samples: [] });
		} else {
			const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
			const family = families.get(current?.name ?? '');
			if (!found || !family) throw wrong('Neither a comment nor a sample of a family');
			const [, name = '', labelText = '', valueText = ''] = found;
			if (!endings[family.type]?.some((end) => name === current?.name + end)) throw wrong('A sample of another family');
			const key = `${name}{${labelText}}`;
			if (seen.has(key)) throw wrong('A sample comes twice');
			seen.add(key);
			const value = valueText === '+Inf' ? Number.POSITIVE_INFINITY : Number(valueText);
			// The format allows everything that Go's ParseFloat accepts, in any case; prom-client writes "Nan" for missing measurements.
			if (Number.isNaN(value) && !/^nan$/i.test(valueText)) throw wrong('Not a number');
			family.samples.push({ name, labels: parseLabels(labelText, wrong), value });
		}
	}
	return families;
}

function parseLabels(text: string, wrong: (why: string) => Error): Record<string, string> {
	const labels: Record<string, string> = {};
	const pair = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;
	while (pair.lastIndex < text.length) {
		const [, name = '', value = ''] = pair.exec(text) ?? [];
		if (name === '' || name in labels) throw wrong('Labels that are none');
		labels[name] = value.replaceAll(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
	}
	return labels;
}
