import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readManifest } from '../../../src/catalog/manifest.ts';
import { ConfigError } from '../../../src/config/index.ts';
import { operations } from '../../../src/operations/index.ts';
import { encoders } from '../../../src/pipeline/encoders/index.ts';
import { openQueues } from '../../../src/queue/queues.ts';
import { form, json, startTestApi, type TestApi, untilFinished, untilIdle } from '../../helpers/api.ts';
import { connected } from '../../helpers/connection.ts';
import { until } from '../../helpers/faults.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { photograph } from '../../helpers/pictures.ts';

let bytes: Buffer;
beforeAll(async () => {
	bytes = await photograph({ width: 320, height: 240 });
});

async function call(api: TestApi, method: string, path: string, body?: object) {
	const response = await fetch(`${api.url}${path}`, {
		method,
		...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
	});
	return { status: response.status, body: await json(response) };
}

async function upload(api: TestApi, recipe: string) {
	const body = form([['a.jpg', bytes]], ['recipe', recipe]);
	const response = await fetch(`${api.url}/v1/pictures`, { method: 'POST', body });
	return { status: response.status, body: await json(response) };
}

const webp = (width: number) => ({ steps: [{ resize: { width } }], encode: [{ webp: {} }] });
const icon = { variants: { icon: webp(32) } };

async function recipesFile(recipes: object): Promise<string> {
	const file = join(await temporaryFolder(), 'recipes.json');
	await writeFile(file, JSON.stringify({ recipes }));
	return file;
}

/** Zod reads patterns without the Unicode mode that JSON Schema asks for (2020-12 core, 6.4), so those that need it are left out. */
function asZod(schema: object): z.ZodType {
	const text = JSON.stringify(schema, (key, value) =>
		key === 'pattern' && String(value).includes('\\p{') ? undefined : value,
	);
	return z.fromJSONSchema(JSON.parse(text));
}

describe('GET /v1/operations and GET /v1/recipes', () => {
	it('describe every operation and encoder as JSON Schema, with an example that fits', async () => {
		const api = await startTestApi();
		const { body } = await call(api, 'GET', '/v1/operations');
		for (const [list, known] of [
			[body.operations, operations],
			[body.encoders, encoders],
		] as const) {
			expect(list.map(({ name }: { name: string }) => name)).toEqual(known.map(({ name }) => name));
			for (const { name, doc, schema, example } of list) {
				expect(doc, name).toMatch(/^[A-Z].*\.$/);
				expect(schema, name).toMatchObject({ type: 'object', additionalProperties: false });
				expect(schema, name).not.toHaveProperty('$schema');
				expect(asZod(schema).safeParse(example[name]).error, name).toBeUndefined();
			}
		}
		expect(body.analyse).toContain('thumbhash');
	});

	it('describe a complete recipe, as strictly as it is validated', async () => {
		const api = await startTestApi({ PICPIPE_MAX_VARIANTS: '7', PICPIPE_MAX_STEPS: '3' });
		const { body } = await call(api, 'GET', '/v1/recipes');
		expect(body).toMatchObject({ default: 'web', inline: false });
		expect(body).not.toHaveProperty('problem');
		expect(body.schema.$schema).toContain('2020-12');
		const { variants } = body.schema.properties;
		expect(variants).toMatchObject({ minProperties: 1, maxProperties: 7 });
		expect(variants.additionalProperties.properties.steps).toMatchObject({ maxItems: 3 });
		const schema = asZod(body.schema);
		for (const { name, doc, definition } of body.recipes) {
			expect(doc, name).toMatch(/\.$/);
			expect(schema.safeParse(definition).error, name).toBeUndefined();
		}
		expect(schema.safeParse(icon).success).toBe(true);
		expect(schema.safeParse({ variants: { icon: webp(0) } }).success).toBe(false);
		expect(schema.safeParse({ variants: { icon: { encode: [{ bmp: {} }] } } }).success).toBe(false);
		expect(schema.safeParse({ ...icon, speed: 1 }).success).toBe(false);
	});
});

describe('an inline recipe', () => {
	it('is used for the picture and stored with it', async () => {
		const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true' });
		await api.startWorker();
		const { status, body } = await upload(api, ` ${JSON.stringify(icon)}`);
		expect({ status, recipe: body.recipe.name }).toEqual({ status: 202, recipe: 'inline' });
		const path = `/v1/pictures/${body.id}`;
		expect(await untilFinished(api, body.id)).toMatchObject({
			state: 'ready',
			variants: [{ name: 'icon', width: 32, height: 24 }],
		});
		await untilIdle(api);
		expect((await call(api, 'POST', `${path}/process`)).status).toBe(200);

		const both = { variants: { ...icon.variants, dot: { from: 'icon', ...webp(4) } } };
		expect((await call(api, 'POST', `${path}/process`, { recipe: both })).status).toBe(202);
		expect((await untilFinished(api, body.id)).variants).toMatchObject([{ name: 'icon' }, { name: 'dot', width: 4 }]);
		await untilIdle(api);
		expect((await call(api, 'POST', `${path}/process`, { recipe: JSON.stringify(icon) })).status).toBe(202);
		expect((await untilFinished(api, body.id)).variants).toMatchObject([{ name: 'icon' }]);
	});

	it('can also be in the query of a raw body', async () => {
		const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true' });
		const response = await fetch(`${api.url}/v1/pictures?recipe=${encodeURIComponent(JSON.stringify(icon))}`, {
			method: 'POST',
			body: new Uint8Array(bytes),
			headers: { 'content-type': 'image/jpeg' },
		});
		expect(await json(response)).toMatchObject({
			recipe: { name: 'inline' },
			links: { variants: { icon: expect.any(String) } },
		});
	});

	it('reports the quality that was found for a target', async () => {
		const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true' });
		await api.startWorker();
		const encode = (quality: unknown) => ({ ...webp(120), encode: [{ webp: { quality } }] });
		const variants = { similar: encode({ ssim: 0.95 }), small: encode({ maxBytes: 1_500 }), plain: encode(70) };
		const { body } = await upload(api, JSON.stringify({ variants }));
		const picture = await untilFinished(api, body.id);
		const { similar, small, plain } = Object.fromEntries(
			picture.variants.map((variant: { name: string }) => [variant.name, variant]),
		);
		for (const { quality } of [similar, small]) {
			expect(Object.keys(quality).sort()).toEqual(['ssim', 'tries', 'value']);
			expect(quality.value).toBeGreaterThanOrEqual(1);
			expect(quality.value).toBeLessThanOrEqual(100);
			expect(quality.tries).toBeLessThanOrEqual(7);
		}
		expect(similar.quality.ssim).toBeGreaterThanOrEqual(0.95);
		expect(small.bytes).toBeLessThanOrEqual(1_500);
		expect(plain).not.toHaveProperty('quality');
		const stored = await readManifest(api.storage, body.id);
		expect(stored?.variants.map(({ quality }) => quality)).toEqual([similar.quality, small.quality, undefined]);
	});

	it('is refused unless the configuration allows it', async () => {
		const api = await startTestApi();
		const { status, body } = await upload(api, JSON.stringify(icon));
		expect({ status, code: body.code }).toEqual({ status: 403, code: 'inline-recipes-off' });
		expect(body.detail).toContain('PICPIPE_INLINE_RECIPES=true');
		expect(await api.keys()).toEqual([]);
		const { body: picture } = await upload(api, 'web');
		const again = await call(api, 'POST', `/v1/pictures/${picture.id}/process`, { recipe: icon });
		expect(again.body.code).toBe('inline-recipes-off');
	});

	it('is refused with every problem, and nothing of the upload is kept', async () => {
		const api = await startTestApi({
			PICPIPE_INLINE_RECIPES: 'true',
			PICPIPE_MAX_VARIANTS: '2',
			PICPIPE_MAX_STEPS: '1',
		});
		const { steps, encode } = webp(1);
		const refused = async (recipe: string, detail: RegExp, code = 'invalid-recipe', expected = 400) => {
			const { status, body } = await upload(api, recipe);
			expect({ status, code: body.code }, recipe.slice(0, 100)).toEqual({ status: expected, code });
			expect(body.detail).toMatch(detail);
			expect(await api.keys()).toEqual([]);
		};
		await refused('{"variants":', /^recipe: expected JSON: /);
		await refused('{}', /^variants: expected an object, received nothing$/);
		await refused(
			JSON.stringify({ variants: { a: { from: 'b', ...webp(0) } } }),
			/^variants\.a\.from: expected .*; variants\.a\.steps\[0\]\.resize\.width: expected pixels from 1/,
		);
		await refused(
			JSON.stringify({ variants: { a: webp(1), b: webp(2), c: { steps: [...steps, ...steps], encode } } }),
			/^variants: expected at most 2 \(PICPIPE_MAX_VARIANTS\), received 3; variants\.c\.steps: expected at most 1 \(PICPIPE_MAX_STEPS\), received 2$/,
			'recipe-too-large',
			422,
		);
		await refused(
			JSON.stringify({ variants: { a: { steps: [...steps, ...steps], encode: [] } } }),
			/^variants\.a\.encode: expected at least one encoder/,
		);
		await refused(
			`{"variants":${'['.repeat(4_000)}${']'.repeat(4_000)}}`,
			/^recipe: Expected JSON of at most 64 levels/,
		);
		await refused(`{"doc":"${'x'.repeat(9_000)}"}`, /at most 8192 bytes/, 'invalid-field');
		await refused('Web', /expected the name of a recipe, or a recipe as JSON/, 'invalid-field');

		const { body: picture } = await upload(api, 'web');
		const process = (recipe: unknown) =>
			call(api, 'POST', `/v1/pictures/${picture.id}/process`, { recipe }).then(({ body }) => body);
		expect(await process({ doc: 'é'.repeat(5_000), variants: {} })).toMatchObject({
			code: 'recipe-too-large',
			class: 'limit',
			detail: expect.stringMatching(/^recipe: expected at most 8192 bytes of JSON, received 100\d\d$/),
		});
		expect(await process([icon])).toMatchObject({ code: 'invalid-field' });
		expect(await process(5)).toMatchObject({
			code: 'invalid-field',
			detail: 'recipe: expected the name of a recipe, or a recipe, received 5.',
		});
	});
});

describe('processing again', () => {
	/** Steps of the picture's last job, as its log names them. */
	async function stepsOf(api: TestApi, picture: { links: { job: string } }): Promise<string[]> {
		const queues = openQueues(await connected(), { ...api.config, prefix: api.config.redisPrefix });
		try {
			const jobId = decodeURIComponent(picture.links.job.split('/').at(-1) ?? '');
			const { logs } = await queues.byName.pictures.getJobLogs(jobId);
			return logs.flatMap((row) => row.split('\n')).map((line) => / → \S+ (.*): [\d.]+ ms/.exec(line)?.[1] ?? line);
		} finally {
			await queues.close();
		}
	}

	it('with another recipe makes what is missing, keeps what is equal, and deletes the rest', async () => {
		const one = { variants: { large: webp(200), small: { from: 'large', ...webp(50) } } };
		const two = { variants: { large: webp(200), tiny: { from: 'large', ...webp(10) } } };
		const api = await startTestApi({
			PICPIPE_RECIPES: await recipesFile({ one, two, only: { variants: { large: webp(200) } } }),
		});
		await api.startWorker();
		const { body: accepted } = await upload(api, 'one');
		const first = await untilFinished(api, accepted.id);
		await untilIdle(api);
		expect(await stepsOf(api, first)).toEqual(
			expect.arrayContaining(['decode', 'encode large.webp', 'encode small.webp']),
		);

		await call(api, 'POST', `/v1/pictures/${first.id}/process`, { recipe: 'two' });
		const second = await untilFinished(api, first.id);
		await untilIdle(api);
		expect(second.variants.map(({ name }: { name: string }) => name)).toEqual(['large', 'tiny']);
		expect(second.variants[0]).toEqual(first.variants[0]);
		const steps = await stepsOf(api, second);
		expect(steps).toEqual(expect.arrayContaining(['decode', 'encode tiny.webp']));
		expect(steps.filter((step) => /large|small/.test(step))).toEqual([]);
		expect((await api.keys()).map((key) => key.split('/').at(-1)?.split('-')[0]).sort()).toEqual([
			'large',
			'original.jpg',
			'picture.json',
			'tiny',
		]);

		await call(api, 'POST', `/v1/pictures/${first.id}/process`, { recipe: 'only' });
		const third = await untilFinished(api, first.id);
		await untilIdle(api);
		expect(third).toMatchObject({ recipe: { name: 'only' }, facts: first.facts, variants: [first.variants[0]] });
		expect(await stepsOf(api, third)).not.toContain('decode');
		expect((await api.keys()).map((key) => key.split('/').at(-1)?.split('-')[0]).sort()).toEqual([
			'large',
			'original.jpg',
			'picture.json',
		]);
	});

	it('analyses again only if the analysis changes, and then makes no variants', async () => {
		const analysed = { analyse: ['thumbhash'], ...icon };
		const api = await startTestApi({ PICPIPE_RECIPES: await recipesFile({ plain: icon, analysed }) });
		await api.startWorker();
		const { body: accepted } = await upload(api, 'plain');
		const first = await untilFinished(api, accepted.id);
		expect(first.analysis).toEqual({});
		await untilIdle(api);
		await call(api, 'POST', `/v1/pictures/${first.id}/process`, { recipe: 'analysed' });
		const second = await untilFinished(api, first.id);
		await untilIdle(api);
		expect(second.analysis.thumbhash).toMatch(/^[A-Za-z0-9+/=]+$/);
		expect(second.variants).toEqual(first.variants);
		const steps = await stepsOf(api, second);
		expect(steps).toContain('thumbhash');
		expect(steps.filter((step) => step.startsWith('encode'))).toEqual([]);
		await call(api, 'POST', `/v1/pictures/${first.id}/process`, { recipe: 'plain' });
		expect((await untilFinished(api, first.id)).analysis).toEqual({});
	});

	it('keeps serving the existing variants when it fails', async () => {
		const large = { variants: { huge: webp(400) } };
		const larger = { variants: { icon: webp(32), huge: webp(400) } };
		const file = await recipesFile({ icon, large, larger });
		const api = await startTestApi({ PICPIPE_RECIPES: file, PICPIPE_MAX_OUTPUT_DIMENSION: '399' });
		await api.startWorker();
		const { body: accepted } = await upload(api, 'icon');
		const first = await untilFinished(api, accepted.id);
		await untilIdle(api);
		await call(api, 'POST', `/v1/pictures/${first.id}/process`, { recipe: 'large' });
		expect(await untilFinished(api, first.id)).toMatchObject({
			state: 'failed',
			failure: {
				class: 'limit',
				code: 'output-too-large',
				step: 'plan',
				message: expect.stringContaining('at most 399 pixels of width and height (PICPIPE_MAX_OUTPUT_DIMENSION)'),
			},
			variants: first.variants,
		});
		expect((await fetch(`${api.url}${first.variants[0].url}`)).status).toBe(200);
		await call(api, 'POST', `/v1/pictures/${first.id}/process`, { recipe: 'larger' });
		const third = await untilFinished(api, first.id);
		expect(third).toMatchObject({ state: 'ready', variants: first.variants });
		expect(third.failure).toBeUndefined();
		expect(third.failures).toMatchObject([{ variant: 'huge', code: 'output-too-large' }]);
	});
});

describe('the recipes file', () => {
	it('is watched: valid changes apply to the next upload, invalid ones are reported and ignored', async () => {
		const file = await recipesFile({ icon });
		const api = await startTestApi({ PICPIPE_RECIPES: file });
		const recipes = async () => (await call(api, 'GET', '/v1/recipes')).body;
		await writeFile(file, JSON.stringify({ recipes: { dot: { variants: { dot: webp(4) } } } }));
		await until('the change', async () =>
			(await recipes()).recipes.some(({ name }: { name: string }) => name === 'dot'),
		);
		expect((await upload(api, 'dot')).body).toMatchObject({ recipe: { name: 'dot' } });
		expect((await upload(api, 'icon')).body.code).toBe('unknown-recipe');
		await writeFile(file, JSON.stringify({ recipes: { dot: { variants: { dot: webp(0) } } } }));
		await until('the problem', async () => (await recipes()).problem !== undefined);
		const { problem } = await recipes();
		expect(problem).toContain('recipe "dot": variants.dot.steps[0].resize.width: expected pixels from 1');
		expect((await upload(api, 'dot')).status).toBe(202);
	});

	it('that is invalid at the start is a configuration error', async () => {
		const file = await recipesFile({ icon: {} });
		await expect(startTestApi({ PICPIPE_RECIPES: file })).rejects.toThrow(ConfigError);
		await expect(startTestApi({ PICPIPE_RECIPES: file })).rejects.toThrow(
			/- PICPIPE_RECIPES: .*recipe "icon": variants: /,
		);
		await expect(startTestApi({ PICPIPE_RECIPES: `${file}.none` })).rejects.toThrow(
			/- PICPIPE_RECIPES: .*there is none/,
		);
		const missing = { PICPIPE_DEFAULT_RECIPE: 'none' };
		await expect(startTestApi(missing)).rejects.toThrow(/- PICPIPE_DEFAULT_RECIPE: expected one of web, avatar/);
	});
});
