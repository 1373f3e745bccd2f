import { type Analyser, copyOf } from './analysis.ts';

export const opaque: Analyser<'opaque'> = {
	name: 'opaque',
	doc: 'Whether every pixel is opaque. Pictures with an alpha channel are checked at full size.',
	scaleFor: ({ width, height, alpha }) => (alpha ? { width, height, kernel: 'lanczos3' } : undefined),
	run(subject) {
		if (!subject.copy) return true;
		const { data, channels } = copyOf(subject).pixels;
		if (channels === 3) return true;
		for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
		return true;
	},
};
