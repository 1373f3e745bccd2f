import { describe, expect, it } from 'vitest';
import { boxesIn, endsWithinBox, readItems } from '../../../src/pipeline/inspect/boxes.ts';
import { box, fullBox, longBox, metaOf } from '../../helpers/boxes.ts';

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

describe('boxes', () => {
	it('are read in their order, whatever the size of their head', () => {
		const bytes = Buffer.concat([start, longBox('long', data), box('last', data, 0)]);
		expect([...boxesIn(bytes)].map(({ type, content }) => [type, content.length])).toEqual([
			['ftyp', 16],
			['long', 100],
			['last', 100],
		]);
	});

	it('end where one is longer than the bytes', () => {
		expect([...boxesIn(Buffer.concat([start, box('mdat', data, 5_000), start]))]).toHaveLength(1);
	});
});

describe('items', () => {
	const properties = [box('ispe', Buffer.alloc(12)), box('colr', Buffer.from('nclx')), box('auxC', Buffer.alloc(4))];
	const shape = {
		primary: 2,
		items: [
			{ id: 1, type: 'av01', properties: [1, 3] },
			{ id: 2, type: 'grid', properties: [1, 2] },
		],
		references: [
			{ type: 'auxl', from: 1, to: [2] },
			{ type: 'prem', from: 2, to: [1, 7] },
		],
	};

	it.each([false, true])('tell their types, properties and references; ids of 32 bits: %s', (isLong) => {
		const items = readItems(Buffer.concat([start, metaOf(shape, properties, isLong)]));
		expect(items).toMatchObject({ primary: 2, references: shape.references });
		expect(items?.typeOf(1)).toBe('av01');
		expect(items?.typeOf(2)).toBe('grid');
		expect(items?.typeOf(3)).toBeUndefined();
		expect(items?.propertiesOf(1).map(({ type }) => type)).toEqual(['ispe', 'auxC']);
		expect(items?.propertiesOf(2).map(({ type }) => type)).toEqual(['ispe', 'colr']);
		expect(items?.propertiesOf(9)).toEqual([]);
	});

	it('are none in a file without a primary item', () => {
		expect(readItems(start)).toBeUndefined();
		expect(readItems(Buffer.concat([start, fullBox('meta', box('pitm', Buffer.alloc(3)))]))).toBeUndefined();
	});

	it('are read from every beginning of a file without an error', () => {
		const file = Buffer.concat([start, metaOf(shape, properties, false)]);
		for (let end = 0; end < file.length; end++) {
			// The size of `meta` is mended, so that its boxes are read as far as they go.
			const part = Buffer.from(file.subarray(0, end));
			if (end > start.length + 4) part.writeUInt32BE(end - start.length, start.length);
			const items = readItems(part);
			expect(() => [items?.typeOf(2), items?.propertiesOf(2)]).not.toThrow();
		}
	});
});
