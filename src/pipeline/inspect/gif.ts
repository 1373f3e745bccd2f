/** Markers of the blocks of a GIF (GIF89a, appendix A). */
const extension = 0x21;
const image = 0x2c;

/**
 * Does a GIF end within one of its blocks? libnsgif takes the frames that it finds up to there, so that of a file which was cut an
 * animation with a broken or missing end is left. A missing trailer alone is no damage, and neither is what follows it.
 */
export function endsWithinBlock(file: Buffer): boolean {
	if (file.length < 13) return true;
	let at = 13 + colourTable(file[10] ?? 0);
	for (;;) {
		if (at > file.length) return true;
		const marker = file[at];
		if (marker === extension) at += 2;
		// A descriptor of 10 bytes, colours of its own, and a byte before the data.
		else if (marker === image) at += 11 + colourTable(file[at + 9] ?? 0);
		else return false;
		// Data in pieces, each with its length before it; one of no length ends it.
		for (let length = file[at]; length !== 0; length = file[at]) {
			if (length === undefined) return true;
			at += 1 + length;
		}
		at++;
	}
}

/** Bytes of a table of colours that follows these flags. */
function colourTable(flags: number): number {
	return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}
