import { expect, it } from 'vitest';
import { inspect } from '../../../src/pipeline/inspect/inspect.ts';
import { sniffFormat } from '../../../src/pipeline/inspect/sniff.ts';
import { box } from '../../helpers/boxes.ts';
import { limits, make, one } from '../make.ts';

const start = box('ftyp', Buffer.from('heic\0\0\0\0mif1heic', 'latin1'));

it('refuses what only begins as a HEIC', async () => {
	const file = Buffer.concat([start, box('mdat', Buffer.alloc(100, 7))]);
	expect(sniffFormat(file)).toBe('heic');
	await expect(inspect(file, limits)).rejects.toMatchObject({ class: 'corrupt', step: 'inspect' });
	await expect(make(start.subarray(0, 20), one([]))).rejects.toMatchObject({ class: 'corrupt', step: 'inspect' });
});
