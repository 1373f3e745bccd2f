import { type Analyser, copyOf, onWhite, smallScale } from './analysis.ts';

const middle = { x: 0.5, y: 0.5 };

export const focus: Analyser<'focus'> = {
	name: 'focus',
	doc: 'The most eye-catching point (edges, strong colours, skin) in shares of width and height, for `focus` of `crop`. Same measure as `attention`.',
	scaleFor: smallScale,
	async run(subject) {
		const copy = copyOf(subject);
		const { width, height } = copy.pixels;
		if (isFlat(copy.pixels.data, copy.pixels.channels)) return middle;
		// libvips reports the point when it crops; half of each side leaves space to choose in both directions.
		const { info } = await onWhite(copy)
			.resize({
				width: Math.ceil(width / 2),
				height: Math.ceil(height / 2),
				fit: 'cover',
				position: 'attention',
				withoutReduction: true,
			})
			.raw()
			.toBuffer({ resolveWithObject: true });
		const { attentionX, attentionY } = info;
		if (attentionX === undefined || attentionY === undefined) return middle;
		return { x: share(attentionX, width), y: share(attentionY, height) };
	},
};

/** For a picture of a single colour libvips would report the top left. */
function isFlat(data: Buffer, channels: number): boolean {
	for (let at = channels; at < data.length; at++) if (data[at] !== data[at - channels]) return false;
	return true;
}

/** The middle of a pixel as a share of the side. */
function share(at: number, side: number): number {
	return Math.min(1, Math.max(0, Math.round(((at + 0.5) / side) * 1_000) / 1_000));
}
