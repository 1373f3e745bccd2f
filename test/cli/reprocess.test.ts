import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { form, json, untilFinished } from '../helpers/api.ts';
import { photograph } from '../helpers/pictures.ts';
import { PicpipeProcess, runPicpipe } from '../helpers/processes.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { temporaryFolder } from '../supervisor/folder.ts';

const icon = (width: number) =>
	`recipes: { icon: { variants: { icon: { steps: [{ resize: { width: ${width} } }], encode: [{ webp: {} }] } } } }`;

/** The line at the end; those before it have a total. */
const summaryOf = ({ lines }: Pick<PicpipeProcess, 'lines'>) =>
	lines.find(({ queued, total }) => queued !== undefined && total === undefined);

describe('picpipe reprocess', { timeout: 120_000 }, () => {
	test('makes every picture of a recipe again, with the running workers', async () => {
		const folder = await temporaryFolder();
		const recipes = join(folder, 'recipes.yaml');
		await writeFile(recipes, icon(40));
		const environment = { PICPIPE_RECIPES: recipes, PICPIPE_DEFAULT_RECIPE: 'icon' };
		const picpipe = new PicpipeProcess({ folder, environment });
		onTestFinished(() => picpipe.destroy());
		const { api: url } = await picpipe.ready();
		const bytes = await photograph({ width: 320, height: 240 });
		const upload = async (recipe: string) => {
			const body = form([['a.jpg', bytes]], ['recipe', recipe]);
			return (await json(await fetch(`${url}/v1/pictures`, { method: 'POST', body }))).id as string;
		};
		const ids = [await upload('icon'), await upload('icon'), await upload('avatar')];
		for (const id of ids) expect((await untilFinished({ url }, id, 60_000)).state).toBe('ready');

		await writeFile(recipes, icon(50));
		const again = async (...list: string[]) => {
			// Not `runPicpipe`: it ends everything that works in the folder, the Redis of `picpipe start` too.
			const beside = new PicpipeProcess({ folder, environment, command: 'reprocess', arguments: list });
			const { code } = await beside.exited;
			return { code, output: beside.output, lines: beside.lines };
		};
		const first = await again('--recipe', 'icon', '--stale');
		expect(first.code, first.output).toBe(0);
		expect(summaryOf(first), first.output).toMatchObject({
			pictures: 3,
			queued: 2,
			others: 1,
			left: 0,
		});
		expect(first.lines.find(({ total }) => total !== undefined)).toMatchObject({
			msg: '0 of 3 pictures checked, 0 queued',
			total: 3,
		});
		for (const id of ids.slice(0, 2)) {
			expect((await untilFinished({ url }, id, 60_000)).variants).toMatchObject([{ name: 'icon', width: 50 }]);
		}
		const second = await again();
		expect(second.code, second.output).toBe(0);
		expect(summaryOf(second)).toMatchObject({ queued: 0, upToDate: 3 });

		await writeFile(recipes, 'recipes: {}');
		const third = await again('--stale');
		expect(third.code, third.output).toBe(1);
		expect(summaryOf(third)).toMatchObject({ left: 2, upToDate: 1 });
		// The api looks at the file now and then, and may do so after the command has ended.
		const isRefusal = (line: { msg?: string }) =>
			/recipes file is invalid; the previous recipes stay/.test(line.msg ?? '');
		await picpipe.waitFor(isRefusal, 0);
		expect(picpipe.lines.filter(isRefusal)).toHaveLength(1);
		expect(await picpipe.stop()).toMatchObject({ code: 0 });
	});

	test('reports problems of a recipe or its file like the API, with exit code 2', async () => {
		const folder = await temporaryFolder();
		const recipes = join(folder, 'recipes.yaml');
		await writeFile(recipes, icon(0));
		const environment = {
			PICPIPE_RECIPES: recipes,
			REDIS_URL: inject('redisUrl'),
			PICPIPE_REDIS_PREFIX: freshPrefix(),
		};
		for (const command of ['api', 'reprocess'] as const) {
			const { code, output } = await runPicpipe({ command, folder, environment });
			expect(code, output).toBe(2);
			expect(output).toMatch(/- PICPIPE_RECIPES: .*recipe "icon": variants\.icon\.steps\[0\]\.resize\.width: expected/);
		}
		await writeFile(recipes, icon(40));
		const { code, output } = await runPicpipe({
			command: 'reprocess',
			arguments: ['--recipe', 'x'],
			folder,
			environment,
		});
		expect(code, output).toBe(2);
		expect(output).toContain('--recipe: expected one of web, avatar, product, social, archive, icon but received "x"');
	});
});
