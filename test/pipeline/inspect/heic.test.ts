import { describe, expect, it } from 'vitest';
import { endsWithinBox } from '../../../src/pipeline/inspect/heic.ts';
import { inspect } from '../../../src/pipeline/inspect/inspect.ts';
import { sniffFormat } from '../../../src/pipeline/inspect/sniff.ts';
import { limits, make, one } from '../make.ts';

function box(type: string, content: Buffer, size = content.length + 8): Buffer {
	const head = Buffer.alloc(8);
	head.writeUInt32BE(size, 0);
	head.write(type, 4, 'latin1');
	return Buffer.concat([head, content]);
}

/** A box whose size takes 64 bits. */
function longBox(type: string, content: Buffer, size = content.length + 16): Buffer {
	const long = Buffer.alloc(8);
	long.writeBigUInt64BE(BigInt(size));
	return box(type, Buffer.concat([long, content]), 1);
}

const start = box('ftyp', Buffer.from('heic\0\0\0\0mif1heic', 'latin1'));
const data = Buffer.alloc(100, 7);

describe('endsWithinBox', () => {
	it.each([
		['whole boxes', [start, box('mdat', data)]],
		['a box of 64 bits', [start, longBox('mdat', data)]],
		['a last box without an end', [start, box('mdat', data, 0)]],
	])('takes %s', (_name, boxes) => {
		expect(endsWithinBox(Buffer.concat(boxes))).toBe(false);
	});

	it.each([
		['half a head', [start, Buffer.alloc(5)]],
		['a box that is too long', [start, box('mdat', data, 109)]],
		['a box that is shorter than its head', [start, box('mdat', data, 7)]],
		['a box of 64 bits that is too long', [start, longBox('mdat', data, 2 ** 52)]],
		['half a size of 64 bits', [start, box('mdat', Buffer.alloc(4), 1)]],
	])('sees %s', (_name, boxes) => {
		expect(endsWithinBox(Buffer.concat(boxes))).toBe(true);
	});
});

it('refuses what only begins as a HEIC', async () => {
	const file = Buffer.concat([start, box('mdat', data)]);
	expect(sniffFormat(file)).toBe('heic');
	await expect(inspect(file, limits)).rejects.toMatchObject({ class: 'corrupt', step: 'inspect' });
	await expect(make(start.subarray(0, 20), one([]))).rejects.toMatchObject({ class: 'corrupt', step: 'inspect' });
});
