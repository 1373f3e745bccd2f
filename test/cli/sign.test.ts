import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isSignedBy } from '../../src/delivery/dialects/imgproxy.ts';
import { runPicpipe } from '../helpers/processes.ts';
import { temporaryFolder } from '../supervisor/folder.ts';

const id = 'pic_01jzkwp9nbe0tvahm2q4c8s6rd';
const pair = { key: Buffer.alloc(16, 1), salt: Buffer.alloc(16, 2) };
const environment = {
	PICPIPE_DELIVERY_KEYS: `${pair.key.toString('hex')}:${pair.salt.toString('hex')}`,
	PICPIPE_URL: 'https://pictures.example.org/',
};

describe('picpipe sign', { timeout: 120_000 }, () => {
	test('prints a signed URL and nothing else', async () => {
		const folder = await temporaryFolder();
		const recipes = join(folder, 'recipes.yaml');
		await writeFile(recipes, 'presets:\n  imgproxy:\n    thumb: rs:fit:200:200\n');
		const { code, output } = await runPicpipe({
			folder,
			command: 'sign',
			arguments: ['pr:thumb', id, '--format', 'webp', '--expires', '60'],
			environment: { ...environment, PICPIPE_RECIPES: recipes },
		});
		expect(code, output).toBe(0);
		const [, signature = '', path = ''] =
			/^https:\/\/pictures\.example\.org\/img\/([^/]+)(\/\S+)\n$/.exec(output) ?? [];
		expect(path).toMatch(new RegExp(`^/pr:thumb/exp:\\d{10}/plain/${id}@webp$`));
		expect(isSignedBy(path, signature, [pair])).toBe(true);
	});

	test('reports what has to be changed, with exit code 2', async () => {
		const folder = await temporaryFolder();
		const refused = async (list: string[], settings: Record<string, string> = environment) => {
			const { code, output } = await runPicpipe({ folder, command: 'sign', arguments: list, environment: settings });
			expect(code, output).toBe(2);
			return output;
		};
		expect(await refused(['q:80', id], {})).toMatch(/PICPIPE_DELIVERY_KEYS: expected .*openssl rand -hex 32/);
		expect(await refused(['nothing:1', id])).toContain('nothing');
		const presetsOnly = { ...environment, PICPIPE_PRESETS_ONLY: 'true' };
		expect(await refused(['thumb', id, '--expires', '60'], presetsOnly)).toMatch(
			/Expected no expiry.*PICPIPE_PRESETS_ONLY/,
		);
		const recipes = join(folder, 'recipes.yaml');
		await writeFile(recipes, 'presets:\n  imgproxy:\n    thumb: rs:odd:200:200\n');
		expect(await refused(['pr:thumb', id], { ...environment, PICPIPE_RECIPES: recipes })).toMatch(
			/PICPIPE_RECIPES: .*recipes\.yaml:3:5: presets\.imgproxy\.thumb: .*odd/,
		);
		expect(await refused(['q:80', id, '--expires', 'soon'])).toContain('--expires: expected an integer');
	});
});
