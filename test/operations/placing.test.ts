import { describe, expect, it } from 'vitest';
import { at, draw, type Rgba, stepped } from './pixels.ts';

/** Every pixel tells where it was: red is x, green is y. */
const size = { width: 120, height: 80 };
const map = draw(size, (x, y) => [x, y, 0]);

/** Where the left top pixel was, and the right bottom one. */
function taken(made: Rgba): number[][] {
	return [at(made, 0, 0).slice(0, 2), at(made, made.width - 1, made.height - 1).slice(0, 2)];
}

describe('crop', () => {
	it.each([
		[{ width: 20, height: 10, position: 'left top' }, [0, 0], [19, 9]],
		[{ width: 20, height: 10 }, [50, 35], [69, 44]],
		[{ width: 20, height: 10, position: 'right' }, [100, 35], [119, 44]],
		[{ width: 20, height: 10, position: 'bottom' }, [50, 70], [69, 79]],
		[{ width: 20, height: 10, position: 'right bottom' }, [100, 70], [119, 79]],
		[{ width: 20 }, [50, 0], [69, 79]],
		[{ height: 10, position: 'top' }, [0, 0], [119, 9]],
		[{ width: 5_000, height: 10, position: 'top' }, [0, 0], [119, 9]],
		[{ ratio: '1:1' }, [20, 0], [99, 79]],
		[{ ratio: '1:1', position: 'left' }, [0, 0], [79, 79]],
		[{ ratio: '3:1' }, [0, 20], [119, 59]],
		[{ ratio: '1.5:1' }, [0, 0], [119, 79]],
		[{ width: 20, height: 10, left: 3, top: 5 }, [3, 5], [22, 14]],
		[{ width: 20, height: 10, left: 7 }, [7, 0], [26, 9]],
		// Of what lies outside as much is given up as it takes.
		[{ width: 20, height: 10, left: 110, top: 900 }, [100, 70], [119, 79]],
		[{ width: 20, height: 10, focus: { x: 0.25, y: 0.5 } }, [20, 35], [39, 44]],
		[{ width: 20, height: 10, focus: { x: 0, y: 1 } }, [0, 70], [19, 79]],
		[{ ratio: '1:1', focus: { x: 0.6, y: 0.1 } }, [32, 0], [111, 79]],
		[{ width: '50%', height: '25%' }, [30, 30], [89, 49]],
		[{ width: '0.01%', height: '100%', position: 'left' }, [0, 0], [0, 79]],
		[{ width: '12.5%', position: 'right' }, [105, 0], [119, 79]],
		[{ width: 60, height: 20, ratio: '1:1', position: 'top' }, [50, 0], [69, 19]],
		[{ width: '50%', ratio: '3:1', position: 'left bottom' }, [0, 60], [59, 79]],
		[{ width: 20, height: 10, x: 5, y: -3 }, [55, 32], [74, 41]],
		[{ width: 20, height: 10, position: 'right bottom', x: 5, y: '25%' }, [95, 50], [114, 59]],
		[{ width: 20, height: 10, position: 'left top', x: '2.5%', y: -9 }, [3, 0], [22, 9]],
		[{ width: 20, height: 10, position: 'right', x: 16_384 }, [0, 35], [19, 44]],
	])('%j', async (crop, first, last) => {
		expect(taken(await stepped(await map, { crop }))).toEqual([first, last]);
	});

	it.each(['attention', 'entropy'])('finds the only object, with %s, without scaling it', async (position) => {
		const spot = { left: 81, top: 9, width: 20, height: 20 };
		const isInside = (x: number, y: number) =>
			x >= spot.left && x < spot.left + spot.width && y >= spot.top && y < spot.top + spot.height;
		const file = await draw({ width: 200, height: 120 }, (x, y) =>
			isInside(x, y) ? ((x + y) % 4 < 2 ? [255, 20, 20] : [255, 220, 40]) : [90, 90, 90],
		);
		const made = await stepped(file, { crop: { width: 60, height: 60, position } });
		expect(made).toMatchObject({ width: 60, height: 60 });
		const red = Array.from({ length: 60 * 60 }, (_, pixel) => made.data[pixel * 4] ?? 0);
		// Its pixels are all there, one for one.
		expect(red.filter((value) => value === 255)).toHaveLength(spot.width * spot.height);
	});
});

describe('extend', () => {
	const corner = (made: Rgba) => at(made, 0, 0);

	it.each([
		[{ left: 3, top: 2 }, 123, 82, 3, 2],
		[{ right: 3, bottom: 2 }, 123, 82, 0, 0],
		[{ width: 200 }, 200, 80, 40, 0],
		[{ width: 200, height: 100, position: 'right bottom' }, 200, 100, 80, 20],
		[{ width: 200, position: 'left' }, 200, 80, 0, 0],
		[{ width: 10, height: 100 }, 120, 100, 0, 10],
		[{ ratio: '1:1' }, 120, 120, 0, 20],
		[{ ratio: '2:1', position: 'right' }, 160, 80, 40, 0],
		[{ left: '10%', top: '2.5%' }, 132, 82, 12, 2],
		// At least so large, and of that shape.
		[{ width: 150, height: 100, ratio: '1:1' }, 150, 150, 15, 35],
		[{ width: 60, ratio: '2:1' }, 160, 80, 20, 0],
		[{ width: 200, position: 'left', x: 30 }, 200, 80, 30, 0],
		[{ width: 200, height: 100, position: 'right bottom', x: '10%', y: 5 }, 200, 100, 60, 15],
		[{ ratio: '2:1', x: -16 }, 160, 80, 4, 0],
		// Nothing of the picture is lost.
		[{ width: 200, x: 16_384 }, 200, 80, 80, 0],
	])('%j', async (extend, width, height, left, top) => {
		const made = await stepped(await map, { extend: { ...extend, background: '#0000ff' } });
		expect(made).toMatchObject({ width, height });
		expect(at(made, left, top)).toEqual([0, 0, 0, 255]);
		expect(at(made, left + 119, top + 79)).toEqual([119, 79, 0, 255]);
		if (left > 0) expect(at(made, left - 1, top)).toEqual([0, 0, 255, 255]);
		if (top > 0) expect(at(made, left, top - 1)).toEqual([0, 0, 255, 255]);
	});

	it('adds a mirror, the edge pixels, the picture again, or a translucent colour', async () => {
		const add = async (options: object) => stepped(await map, { extend: { left: 10, top: 5, ...options } });
		expect(corner(await add({ with: 'mirror' }))).toEqual([9, 4, 0, 255]);
		expect(corner(await add({ with: 'copy' }))).toEqual([0, 0, 0, 255]);
		expect(corner(await add({ with: 'repeat' }))).toEqual([110, 75, 0, 255]);
		expect(corner(await add({ background: '#ff880040' }))).toEqual([255, 136, 0, 64]);
	});
});

it('border surrounds the picture', async () => {
	const made = await stepped(await map, { border: { width: 4, colour: '#ff0000' } });
	expect(made).toMatchObject({ width: 128, height: 88 });
	for (const [x, y] of [
		[0, 0],
		[3, 40],
		[124, 40],
		[60, 84],
		[127, 87],
	] as const) {
		expect(at(made, x, y)).toEqual([255, 0, 0, 255]);
	}
	expect([at(made, 4, 4), at(made, 123, 83)]).toEqual([
		[0, 0, 0, 255],
		[119, 79, 0, 255],
	]);
});

describe('rotate, flip and flop', () => {
	const corners = (made: Rgba) =>
		[
			[0, 0],
			[made.width - 1, 0],
			[made.width - 1, made.height - 1],
			[0, made.height - 1],
		].map(([x = 0, y = 0]) => at(made, x, y).slice(0, 2).join());
	const [leftTop, rightTop, rightBottom, leftBottom] = ['0,0', '119,0', '119,79', '0,79'];

	it.each([
		[{ rotate: { angle: 0 } }, [leftTop, rightTop, rightBottom, leftBottom]],
		[{ rotate: { angle: 90 } }, [leftBottom, leftTop, rightTop, rightBottom]],
		[{ rotate: { angle: 180 } }, [rightBottom, leftBottom, leftTop, rightTop]],
		[{ rotate: { angle: 270 } }, [rightTop, rightBottom, leftBottom, leftTop]],
		[{ rotate: { angle: -90 } }, [rightTop, rightBottom, leftBottom, leftTop]],
		[{ flip: {} }, [leftBottom, rightBottom, rightTop, leftTop]],
		[{ flop: {} }, [rightTop, leftTop, leftBottom, rightBottom]],
	])('%j', async (step, expected) => {
		expect(corners(await stepped(await map, step))).toEqual(expected);
	});

	it('happen in the written order, which sharp alone would not keep', async () => {
		const one = await stepped(await map, { flip: {} }, { rotate: { angle: 90 } });
		const other = await stepped(await map, { rotate: { angle: 90 } }, { flip: {} });
		expect(corners(one)).toEqual([leftTop, leftBottom, rightBottom, rightTop]);
		expect(corners(other)).toEqual([rightBottom, rightTop, leftTop, leftBottom]);
	});

	it('by other angles fills the corners, even transparently', async () => {
		const opaque = await stepped(await map, { rotate: { angle: 45, background: '#0000ff' } });
		expect([at(opaque, 0, 0), opaque.hasAlpha]).toEqual([[0, 0, 255, 255], false]);
		const clear = await stepped(await map, { rotate: { angle: 45, background: '#00000000' } });
		expect(at(clear, 0, 0)[3]).toBe(0);
		expect(at(clear, clear.width >> 1, clear.height >> 1)[3]).toBe(255);
	});
});
