import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Facts } from '../../../src/domain/picture.ts';
import { decode, decodeAsset } from '../../../src/pipeline/decode/decode.ts';
import { inspect } from '../../../src/pipeline/inspect/inspect.ts';
import { readHeader } from '../../../src/pipeline/inspect/sharp-input.ts';
import { sniffFormat } from '../../../src/pipeline/inspect/sniff.ts';
import { svgOptions } from '../../../src/pipeline/inspect/svg.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { photograph, pngDeclaring, similarity } from '../../helpers/pictures.ts';
import { thrownBy } from '../../helpers/thrown.ts';
import { make, one, limits as ordinary } from '../make.ts';

const limits = { ...ordinary, svg: { maxBytes: 1_000_000, maxElements: 1_000 } };

const names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"';
/** A red square of 50 × 50 on green, unless something else is drawn in it. */
const svg = (inner = '<rect width="25" height="50" fill="#f00"/>', attributes = 'width="50" height="50"') =>
	`<svg ${names} ${attributes}><rect width="50" height="50" fill="#0f0"/>${inner}</svg>`;

const png = one([], [{ png: {} }]);

async function draw(text: string | Buffer, recipe: unknown = png) {
	const made = await make(Buffer.from(text), recipe, { svg: limits.svg });
	return { facts: made.facts, ...made.variant('only') };
}

/** Red, green, blue and opacity of a pixel. */
async function pixel(picture: Buffer, left: number, top: number): Promise<number[]> {
	const one = await sharp(picture).ensureAlpha().extract({ left, top, width: 1, height: 1 }).raw().toBuffer();
	return [...one];
}

async function expectHalves(picture: Buffer): Promise<void> {
	expect(await pixel(picture, 5, 5)).toEqual([255, 0, 0, 255]);
	expect(await pixel(picture, 45, 45)).toEqual([0, 255, 0, 255]);
}

const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');

/** Ways in which an SVG may begin. */
const beginnings: readonly (readonly [string, Buffer])[] = [
	['nothing before', Buffer.from(svg())],
	['a declaration', Buffer.from(`<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n${svg()}`)],
	['a mark of order', Buffer.from(`\ufeff${svg()}`)],
	['white space', Buffer.from(`\n\t  \r\n${svg()}`)],
	['comments', Buffer.from(`<!-- a <html> --><!----><!-- ${'x'.repeat(20_000)} -->${svg()}`)],
	[
		'a document type',
		Buffer.from(
			`<?xml version="1.0"?><!-- x -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [<!ATTLIST g a CDATA "b">]>${svg()}`,
		),
	],
	['an instruction', Buffer.from(`<?some-program version="3"?>${svg()}`)],
	['letters beyond ASCII soon', Buffer.from(svg().replace('<svg', '<svg id="äöü"'))],
	[
		'a prefix',
		Buffer.from(
			svg()
				.replaceAll(/<(\/?)(svg|rect)/g, '<$1s:$2')
				.replace('xmlns=', 'xmlns:s='),
		),
	],
	[
		'UTF-16, little end first',
		utf16(
			`<?xml version="1.0" encoding="UTF-16"?>${svg('<title>ж</title><rect width="25" height="50" fill="#f00"/>')}`,
		),
	],
	['UTF-16, big end first', utf16(svg()).swap16()],
	['UTF-16 without a mark', utf16(svg()).subarray(2)],
	[
		'Latin 1',
		Buffer.from(
			`<?xml version="1.0" encoding='ISO-8859-1'?>${svg('<title>é</title><rect width="25" height="50" fill="#f00"/>')}`,
			'latin1',
		),
	],
	['UTF-8 that calls itself UTF-16', Buffer.from(`<?xml version="1.0" encoding="UTF-16"?>${svg()}`)],
	['lines that end as in Windows', Buffer.from(`<?xml version="1.0"?>\r\n${svg().replaceAll(' ', '\r\n ')}`)],
];

/** Of the square that `svg` makes. */
const squareFacts: Facts = {
	format: 'svg',
	width: 50,
	height: 50,
	frames: 1,
	alpha: true,
	orientation: 1,
	colourSpace: 'srgb',
};

describe('an SVG', () => {
	it.each(beginnings)('is detected and drawn with %s before or in its root', async (_what, file) => {
		expect(sniffFormat(file)).toBe('svg');
		const { facts, data } = await draw(file);
		expect(facts).toEqual(squareFacts);
		await expectHalves(data);
	});

	it.each<[string, string | Buffer]>([
		['compressed', gzipSync(svg())],
		['an HTML page that holds one', `<!DOCTYPE html><html><body>${svg()}</body></html>`],
		['other XML that holds one', `<?xml version="1.0"?><page>${svg()}</page>`],
		['a comment about one', `<!-- ${svg()} --><html/>`],
		['a name that only begins so', '<svgish/>'],
		['text', 'svg <svg>'],
	])('is not what is %s', (_what, file) => {
		expect(sniffFormat(Buffer.from(file))).toBeUndefined();
	});

	it('is refused if disabled, and the message names the setting', async () => {
		const error = await thrownBy(() => inspect(Buffer.from(svg()), ordinary));
		expect(error).toMatchObject({ code: 'unsupported-type', class: 'unsupported' });
		expect(error.message).toContain('PICPIPE_SVG');
	});

	it('keeps transparency, and is analysed like any picture', async () => {
		const recipe = {
			analyse: ['thumbhash', 'opaque', 'dominant'],
			variants: { only: { encode: [{ png: {} }] } },
		};
		const made = await make(
			Buffer.from(`<svg ${names} viewBox="0 0 60 40"><circle cx="30" cy="20" r="15" fill="#0a0"/></svg>`),
			recipe,
			{ svg: limits.svg },
		);
		expect(made.analysis).toMatchObject({ opaque: false, dominant: '#00aa00' });
		expect(await pixel(made.variant('only').data, 2, 2)).toEqual([0, 0, 0, 0]);
		expect(await pixel(made.variant('only').data, 30, 20)).toEqual([0, 170, 0, 255]);
	});
});

describe('the size of an SVG', () => {
	it.each([
		['width="120" height="80"', 120, 80],
		['width="120px" height="80px"', 120, 80],
		['width="1in" height="2.54cm"', 96, 96],
		['width="210mm" height="297mm"', 794, 1123],
		['width="72pt" height="6pc"', 96, 96],
		['width="2em" height="4ex"', 32, 32],
		['viewBox="0 0 24 48"', 24, 48],
		['viewBox="-5,-5 , 24 48"', 24, 48],
		['width="100%" height="100%" viewBox="0 0 300 200"', 300, 200],
		['width="600" viewBox="0 0 300 200"', 600, 400],
		['height="100" viewBox="0 0 300 200"', 150, 100],
		// Sizes of Chromium's `<img>` where neither says it.
		['', 300, 150],
		['width="200"', 200, 150],
		['height="60"', 300, 60],
		['width="100%" height="100%"', 300, 150],
		['width="200" height="50%"', 200, 150],
		['viewBox="0 0 0 0"', 300, 150],
		['width="200" viewBox="0 0 no"', 200, 150],
		['width="auto" height="auto"', 300, 150],
		['viewBox="0 0 0.2 0.1"', 2, 1],
		['width="100" height="50" viewBox="0 0 no"', 100, 50],
	])('of %s is as in browsers', async (attributes, width, height) => {
		const { facts } = await inspect(Buffer.from(svg(undefined, attributes)), limits);
		expect(facts).toMatchObject({ width, height });
	});

	it.each([
		['viewBox="0 0 1000000 500000"'],
		['width="1000000" height="500000"'],
		['width="10000000mm" height="5000000mm" viewBox="0 0 2 1"'],
		['viewBox="0 0 1e9 5e8"'],
	])('of %s is as large as the limits allow', async (attributes) => {
		const text = `<svg ${names} ${attributes}><rect width="50%" height="100%" fill="#f00"/></svg>`;
		const { facts, data, ...made } = await draw(text, one([{ resize: { width: 400 } }], [{ png: {} }]));
		const pixels = facts.width * facts.height;
		expect(pixels).toBeLessThanOrEqual(50e6);
		expect(pixels).toBeGreaterThan(49e6);
		expect(facts.width / facts.height).toBeCloseTo(2, 2);
		expect(made).toMatchObject({ width: 400, height: 200 });
		expect(await pixel(data, 190, 100)).toEqual([255, 0, 0, 255]);
		expect(await pixel(data, 210, 100)).toEqual([0, 0, 0, 0]);
	});

	it('respects the limit of sides too', async () => {
		const { facts } = await inspect(Buffer.from(svg(undefined, 'viewBox="0 0 1000000 10"')), {
			...limits,
			maxDimension: 5_000,
		});
		expect(facts).toMatchObject({ width: 5_000, height: 1 });
		// A style sheet has the last word about it, and the limits the very last.
		const styled = svg('<style>svg { width: 40000px !important; height: 40px !important }</style>');
		expect(await thrownBy(() => inspect(Buffer.from(styled), limits))).toMatchObject({ code: 'too-wide-or-high' });
	});

	it('cuts off what is beyond the size of one without', async () => {
		const { data, ...made } = await draw(`<svg ${names}><rect x="100" width="900" height="75" fill="#f00"/></svg>`);
		expect(made).toMatchObject({ width: 300, height: 150 });
		expect(await pixel(data, 99, 10)).toEqual([0, 0, 0, 0]);
		expect(await pixel(data, 101, 74)).toEqual([255, 0, 0, 255]);
		expect(await pixel(data, 299, 76)).toEqual([0, 0, 0, 0]);
	});

	it.each([
		`<svg ${names} width="0" height="0"/>`,
		`<svg ${names} width="0"/>`,
		`<svg ${names} width="-5" height="5"/>`,
		`<svg ${names} width="0" height="30" viewBox="0 0 24 48"/>`,
	])('of %s is invalid', async (text) => {
		const error = await thrownBy(() => inspect(Buffer.from(text), limits));
		expect(error).toMatchObject({ code: 'corrupt-picture', message: 'The picture has no width or no height.' });
	});
});

describe('an enlarged SVG', () => {
	const icon = `<svg ${names} viewBox="0 0 24 24"><path d="M0 0H12V24H0z"/></svg>`;
	const shares = async (data: Buffer) => {
		const { data: raw, info } = await sharp(data).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
		const partial = raw.filter((value, at) => at % 4 === 3 && value > 2 && value < 253).length;
		return partial / (info.width * info.height);
	};

	it.each([
		[{ width: 600 }, 600, 600],
		[{ width: 600, height: 600 }, 600, 600],
		[{ width: 900, height: 600 }, 900, 600],
		[{ width: 900, height: 600, fit: 'contain', background: '#00000000' }, 900, 600],
		[{ width: 900, height: 600, fit: 'inside' }, 600, 600],
		[{ width: 900, height: 600, fit: 'outside' }, 900, 900],
		[{ width: 900, height: 600, fit: 'fill' }, 900, 600],
		[{ height: 600, kernel: 'nearest' }, 600, 600],
	])('is sharp at %j', async (resize, width, height) => {
		const { data, ...made } = await draw(icon, one([{ resize }], [{ png: {} }]));
		expect(made).toMatchObject({ width, height });
		// Enlarged from 24 pixels, the edge alone would be 25 to 100 pixels wide.
		expect(await shares(data)).toBeLessThan(0.01);
		const [left, right] = [await pixel(data, width * 0.4, height / 2), await pixel(data, width * 0.6, height / 2)];
		expect([left[3], right[3]]).toEqual([255, 0]);
	});

	it('is sharp beside variants of its own size, which are unchanged', async () => {
		const recipe = {
			analyse: ['thumbhash'],
			variants: {
				large: { steps: [{ resize: { width: 600 } }], encode: [{ png: {} }] },
				own: { encode: [{ png: {} }] },
				kept: { steps: [{ resize: { width: 600, withoutEnlargement: true } }], encode: [{ png: {} }] },
				later: { steps: [{ crop: { width: 12 } }, { resize: { width: 36 } }], encode: [{ png: {} }] },
				logo: { from: 'large', steps: [{ resize: { width: 300 } }], encode: [{ png: {} }] },
			},
		};
		const made = await make(Buffer.from(icon), recipe, { svg: limits.svg });
		expect(made.outputs.map(({ name, width, height }) => `${name} ${width}×${height}`).sort()).toEqual([
			'kept 24×24',
			'large 600×600',
			'later 36×72',
			'logo 300×300',
			'own 24×24',
		]);
		expect(await shares(made.variant('large').data)).toBeLessThan(0.01);
		expect(await shares(made.variant('logo').data)).toBeLessThan(0.02);
		expect(made.facts).toMatchObject({ width: 24, height: 24 });
	});

	it('stays within the limit of pixels', async () => {
		const line = `<svg ${names} viewBox="0 0 1 1000"><rect width="1" height="1000"/></svg>`;
		const { width, height } = await draw(line, one([{ resize: { width: 300, height: 300 } }], [{ png: {} }]));
		expect({ width, height }).toEqual({ width: 300, height: 300 });
		const error = await thrownBy(() => draw(icon, one([{ resize: { width: 16_000 } }], [{ png: {} }])));
		expect(error).toMatchObject({ code: 'output-too-large' });
	});

	it('is sharp as a logo', async () => {
		const file = Buffer.from(icon);
		const logo = await decodeAsset(file, await inspect(file, limits));
		expect(logo).toMatchObject({ width: 1_024, height: 1_024 });
		const data = await sharp(logo.data, { raw: { width: 1_024, height: 1_024, channels: 4 } })
			.png()
			.toBuffer();
		expect(await shares(data)).toBeLessThan(0.01);
	});
});

describe('references of an SVG', () => {
	it('may be its own parts, links and embedded pictures', async () => {
		const photo = await photograph({ width: 100, height: 100 });
		const held = (type: string, data: Buffer) => `data:image/${type};base64,${data.toString('base64')}`;
		const { data } = await draw(
			svg(`<defs><linearGradient id="g"><stop stop-color="#f00"/></linearGradient><rect id="r" width="25" height="50"/></defs>
				<style>.a { fill: url(#g) } /* url(http://example.org/x) */</style>
				<a xlink:href="https://example.org/"><use xlink:href="#r" class="a"/></a>
				<use href="#r" x="25" style="fill: url( '#g' )" visibility="hidden"/>
				<metadata><cc:license xmlns:cc="urn:x" href="https://example.org/licence"/></metadata>`),
		);
		await expectHalves(data);
		for (const [type, file] of [
			['jpeg', photo],
			['jpg', photo],
			['png', await sharp(photo).png().toBuffer()],
		] as const) {
			const drawn = await draw(svg(`<image href="${held(type, file)}" width="50" height="50"/>`));
			expect(await similarity(drawn.data, photo), type).toBeGreaterThan(0.92);
		}
	});

	const outside: readonly (readonly [string, (where: string) => string])[] = [
		['an image', (where) => `<image href="${where}.png" width="50" height="50"/>`],
		['an image, as of old', (where) => `<image xlink:href=" ${where}.png" width="50" height="50"/>`],
		[
			'an image, written with entities',
			(where) => `<image href="&#${where.charCodeAt(0)};${where.slice(1)}.png" width="50" height="50"/>`,
		],
		['a use', (where) => `<use href="${where}.svg#part"/>`],
		[
			'a filter',
			(where) =>
				`<filter id="f"><feImage href="${where}.png"/></filter><rect width="50" height="50" filter="url(#f)"/>`,
		],
		['a fill', (where) => `<rect width="50" height="50" fill="url(${where}.svg#g)"/>`],
		['a style', (where) => `<rect width="50" height="50" style="mask: url(&quot;${where}.svg#m&quot;)"/>`],
		['a style, escaped', (where) => `<rect width="50" height="50" style="fill: \\75 rl(${where}.svg#m)"/>`],
		['a sheet', (where) => `<style>rect { fill: url('${where}.svg#g') }</style>`],
		['an import', (where) => `<style>@import url(${where}.css);</style>`],
		['an import without url', (where) => `<style><![CDATA[@import "${where}.css";]]></style>`],
		['a font', (where) => `<style>@font-face { font-family: x; src: url(${where}.woff2) }</style>`],
		['an include', (where) => `<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="${where}.svg"/>`],
		[
			'an include of text',
			(where) =>
				`<text y="40" font-size="40"><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" parse="text" href="${where}.txt"/></text>`,
		],
	];

	it.each(outside)('may not be a file or a URL: %s', async (_what, inner) => {
		for (const where of [
			'file:///etc/hosts',
			'http://127.0.0.1/x',
			'https://example.org/x',
			'//example.org/x',
			'x',
			'../x',
			'ftp://a/x',
		]) {
			const error = await thrownBy(() => inspect(Buffer.from(svg(inner(where))), limits));
			expect(error, where).toMatchObject({ code: 'unsupported-feature', class: 'unsupported', step: 'inspect' });
			expect(error.message).toContain('refers to');
		}
	});

	it.each(outside)('would not be drawn or fetched even if they were not refused: %s', async (_what, inner) => {
		const folder = await temporaryFolder();
		const blue = await sharp({ create: { width: 50, height: 50, channels: 3, background: '#00f' } })
			.png()
			.toBuffer();
		const part = `<svg ${names} width="50" height="50"><linearGradient id="g"><stop stop-color="#00f"/></linearGradient><rect id="part" width="50" height="50" fill="#00f"/></svg>`;
		const files = { 'x.png': blue, 'x.svg': part, 'x.css': 'rect { fill: #00f }', 'x.txt': 'MMMM' };
		await mkdir(folder, { recursive: true });
		for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
		const asked: (string | undefined)[] = [];
		const server = createServer((request, response) => {
			asked.push(request.url);
			response.end(files[request.url?.slice(1) as keyof typeof files]);
		}).listen(0, '127.0.0.1');
		await new Promise((resolve) => server.once('listening', resolve));
		onTestFinished(() => void server.close());
		const before = process.cwd();
		process.chdir(folder);
		onTestFinished(() => process.chdir(before));

		const { port } = server.address() as AddressInfo;
		for (const where of ['x', join(folder, 'x'), pathToFileURL(join(folder, 'x')).href, `http://127.0.0.1:${port}/x`]) {
			const document = Buffer.from(svg(`<rect width="50" height="50"/>${inner(where)}`));
			// As `decode` draws it, without what was read before.
			const drawing = { document, megapixels: 0 };
			const picture = {
				facts: squareFacts,
				drawing,
				format: 'svg',
				megapixels: 0,
				page: 1,
				pages: 1,
				isDeepWithProfile: false,
			} as const;
			const drawn = await decode(Buffer.alloc(0), picture, { width: 50, height: 50, kernel: 'lanczos3' });
			const blues = drawn.data.filter((value, at) => at % 4 === 2 && value > 100).length;
			expect(blues, where).toBe(0);
		}
		expect(asked).toEqual([]);
	});

	it.each<[string, string, Buffer | string]>([
		['another SVG', 'svg+xml', svg()],
		['a WebP, which would not be drawn', 'webp', 'UklGRg'],
		['a PNG that is not base64', 'png,x" data="', ''],
	])('may not be an embedded %s', async (_what, type, data) => {
		const href = `data:image/${type};base64,${Buffer.from(data).toString('base64')}`;
		const error = await thrownBy(() => inspect(Buffer.from(svg(`<image href="${href}"/>`)), limits));
		expect(error).toMatchObject({ code: 'unsupported-feature' });
	});

	it('may be embedded pictures within the limits of pixels in total', async () => {
		const held = (type: string, data: Buffer) => `<image href="data:image/${type};base64,${data.toString('base64')}"/>`;
		const photo = await photograph({ width: 1_000, height: 500 });
		const code = async (inner: string, more = {}) =>
			(await thrownBy(() => inspect(Buffer.from(svg(inner)), { ...limits, ...more }))).code;
		expect(await code(held('png', photo))).toBe('corrupt-picture');
		expect(await code(held('png', pngDeclaring(20_000, 20_000)))).toBe('too-many-pixels');
		expect(await code(held('png', pngDeclaring(40_000, 1)))).toBe('too-wide-or-high');
		expect(await code(held('jpeg', photo).repeat(3), { maxMegapixels: 1 })).toBe('too-many-pixels');
		const { megapixels } = await inspect(Buffer.from(svg(held('jpeg', photo).repeat(2))), limits);
		expect(megapixels).toBeCloseTo(1.0 + 0.0025, 2);
	});
});

describe('an SVG must not', () => {
	const code = async (text: string | Buffer) => (await thrownBy(() => inspect(Buffer.from(text), limits))).code;

	it.each([
		['a file', '<!ENTITY x SYSTEM "file:///etc/hosts">', '&x;'],
		['more and more', '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">', '&b;'],
		['one of the document type', '<!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd"> %x;', ''],
		['one that nobody uses', '<!entity x "y">', ''],
	])('use entities: %s', async (_what, declared, used) => {
		const text = `<!DOCTYPE svg [${declared}]>${svg(`<text>${used}</text>`)}`;
		expect(await code(text)).toBe('unsupported-feature');
		// In an encoding in which it would not be found as it stands.
		expect(await code(utf16(text))).toBe('unsupported-feature');
	});

	it('contain external style sheets, or use an unknown encoding', async () => {
		expect(await code(`<?xml-stylesheet href="x.css"?>${svg()}`)).toBe('unsupported-feature');
		expect(await code(`<?xml version="1.0" encoding="UTF-7"?>${svg()}`)).toBe('unsupported-feature');
	});

	it.each([
		['cut off', svg().slice(0, -10)],
		['crossed', svg('<g><rect></g></rect>')],
		['of unknown entities', svg('<text>&nbsp;</text>')],
		['of prefixes that nobody explains', svg('<text sodipodi:role="line"/>')],
		['of another namespace', '<svg xmlns="urn:other" width="5" height="5"/>'],
		['of broken letters', Buffer.from(svg('<title>é</title>'), 'latin1')],
		['followed by more', `${svg()}${svg()}`],
	])('%s', async (_what, text) => {
		expect(await code(text)).toBe('corrupt-picture');
	});

	it('exceed the limits of size, elements or depth', async () => {
		const large = await thrownBy(() => inspect(Buffer.from(svg(`<!--${'x'.repeat(1_000_000)}-->`)), limits));
		expect(large).toMatchObject({ code: 'file-too-large', class: 'limit' });
		expect(large.message).toContain('1000000 bytes for an SVG (PICPIPE_MAX_SVG_BYTES)');
		const many = await thrownBy(() => inspect(Buffer.from(svg('<g/>'.repeat(999))), limits));
		expect(many).toMatchObject({ code: 'too-many-elements', class: 'limit' });
		expect(many.message).toContain('1000 elements in an SVG (PICPIPE_MAX_SVG_ELEMENTS)');
		await inspect(Buffer.from(svg('<g/>'.repeat(997))), limits);
		expect(await code(svg(`${'<g>'.repeat(300)}${'</g>'.repeat(300)}`))).toBe('unsupported-feature');
		await inspect(Buffer.from(svg(`${'<g>'.repeat(254)}${'</g>'.repeat(254)}`)), limits);
	});

	it('be slow to parse, whatever its structure', async () => {
		const wide = { ...limits, svg: { maxBytes: 5_000_000, maxElements: 100_000 } };
		for (const text of [
			`<svg ${names} ${Array.from({ length: 200_000 }, (_, at) => `a${at}="1"`).join(' ')}/>`,
			svg(`<g>`.repeat(200) + '<g xlink:a="1"/>'.repeat(90_000) + '</g>'.repeat(200)),
			`<!DOCTYPE svg [${'<!-- x -->'.repeat(200_000)}]>${svg()}`,
			`${'<!-- -->'.repeat(100)}${'<?x y?>'.repeat(300)}`,
			svg(`<style>${'url('.repeat(500_000)}</style>`),
			svg(`<style>${'/*'.repeat(500_000)}</style>`),
			svg(`<style>${'@import '.repeat(300_000)}</style>`),
			svg(`<rect style="${'\\'.repeat(1_000_000)}"/>`),
		]) {
			await inspect(Buffer.from(text), wide).catch(() => {});
		}
		// Where it goes back and forth in the text it doesn't end within minutes.
	}, 60_000);

	it('be detected by anything but its own text', async () => {
		// What libvips would say to the file as it is; the reader is what makes it one of UTF-8.
		await expect(readHeader(utf16(svg()), svgOptions)).rejects.toMatchObject({ code: 'corrupt-picture' });
	});
});
