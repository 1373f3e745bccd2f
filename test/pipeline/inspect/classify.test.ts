import { expect, it } from 'vitest';
import { classify } from '../../../src/pipeline/inspect/classify.ts';

it.each([
	'vips_tracked: out of memory --size == 36MB',
	'glib: Error creating thread: Resource temporarily unavailable',
	'VipsJpeg: Insufficient memory (case 4)',
	'unable to open: Too many open files',
])('is no fault of the picture, not even while it is decoded: %s', (message) => {
	expect(classify(new Error(message), 'decode', 'decode')).toMatchObject({ code: 'internal', class: 'internal' });
});

it('is the fault of the picture, whatever else goes wrong while it is decoded, and ours afterwards', () => {
	expect(classify(new Error('VipsJpeg: what'), 'decode', 'decode')).toMatchObject({ code: 'corrupt-picture' });
	expect(classify(new Error('VipsJpeg: what'), 'work', 'encode')).toMatchObject({ code: 'internal' });
});
