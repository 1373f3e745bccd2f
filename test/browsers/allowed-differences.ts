/** A difference between what Chromium shows and what picpipe makes that is meant. */
interface AllowedDifference {
	/** The file's name, with its folder. */
	readonly file: RegExp;
	readonly reason: string;
	/** Largest mean difference of the channels, 0 to 255. */
	readonly mean: number;
}

/** Every file that is not in this list has to look as in Chromium. */
export const allowedDifferences: readonly AllowedDifference[] = [
	{
		file: /^cases\/no_eoi\.jpg$/,
		reason: 'Chromium leaves out the last rows of a file without its end marker, because more may follow.',
		mean: 15,
	},
	{
		file: /^described\/cmyk\.jpg$/,
		reason:
			'Chromium and littleCMS, which picpipe uses, convert by a CMYK profile to different colours; littleCMS is the reference.',
		mean: 11,
	},
	{
		file: /^cases\/a_premul\.avif$/,
		reason: 'A canvas stores alpha premultiplied, which leaves few steps for the colours of nearly transparent pixels.',
		mean: 0.2,
	},
	{
		file: /^PNG: grey.* after (?:iCCP, gAMA, cHRM|cHRM, gAMA, iCCP)\.png$/,
		reason:
			'A profile of three channels does not count in a grey PNG, so gAMA and cHRM do; Chromium leaves all three out.',
		mean: 2,
	},
	{
		file: /^pngsuite\/(?:bas[in]0g16|oi\dn0g16|g04n0g16)\.png$/,
		reason: 'Chromium cuts 16 bits to 8 before it applies a gamma, which leaves few steps for dark tones.',
		mean: 0.7,
	},
	{
		file: /^pngsuite\/g04n2c08\.png$/,
		reason: 'Near black, a curve of gamma 0.45 is so steep that the rounding of two programs adds up to 4.',
		mean: 0.3,
	},
];

export function allowedDifference(name: string): AllowedDifference | undefined {
	return allowedDifferences.find(({ file }) => file.test(name));
}
