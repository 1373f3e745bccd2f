import { type Analyser, copyOf, greysOf, onWhite, smallScale } from './analysis.ts';

export const entropy: Analyser<'entropy'> = {
	name: 'entropy',
	doc: 'Shannon entropy of the greys: 0 for a single colour, at most 8 bits.',
	scaleFor: smallScale,
	async run(subject) {
		const greys = await greysOf(onWhite(copyOf(subject)));
		const counts = new Uint32Array(256);
		for (const grey of greys) counts[grey] = (counts[grey] ?? 0) + 1;
		const bits = counts.reduce((sum, count) => {
			const share = count / greys.length;
			return count === 0 ? sum : sum - share * Math.log2(share);
		}, 0);
		return Math.round(bits * 1_000) / 1_000;
	},
};
