import { expect, it } from 'vitest';
import { classifyError } from '../../../src/pipeline/inspect/classify-error.ts';

it.each([
	'vips_tracked: out of memory --size == 36MB',
	'glib: Error creating thread: Resource temporarily unavailable',
	'VipsJpeg: Insufficient memory (case 4)',
	'unable to open: Too many open files',
])('is no fault of the picture, not even while it is decoded: %s', (message) => {
	expect(classifyError(new Error(message), 'decode', 'decode')).toMatchObject({ code: 'internal', class: 'internal' });
});

it('is the fault of the picture, whatever else goes wrong while it is decoded, and ours afterwards', () => {
	expect(classifyError(new Error('VipsJpeg: what'), 'decode', 'decode')).toMatchObject({ code: 'corrupt-picture' });
	expect(classifyError(new Error('VipsJpeg: what'), 'work', 'encode')).toMatchObject({ code: 'internal' });
});
