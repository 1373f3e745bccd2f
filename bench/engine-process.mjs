import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { prepareSharp } from '../dist/pipeline/inspect/sharp-input.js';
import { openPages } from '../dist/pipeline/plan/open-pages.js';
import { parseRecipe } from '../dist/pipeline/recipe/parse-recipe.js';
import { loadRecipes } from '../dist/pipeline/recipe/recipes.js';
import { runPipeline } from '../dist/pipeline/render/run.js';
import { jobs } from './engine-jobs.mjs';

/**
 * One side of the comparison: the engine, or sharp by hand. It is idle until it receives a job and a file, and returns the wall and CPU
 * time in milliseconds, from the bytes of the file to those of the outputs.
 */
const side = process.argv[2];
const limits = { maxMegapixels: 50, maxDimension: 30_000, maxFrames: 1_000, maxOutputDimension: 16_384 };
prepareSharp({ threads: 1, takesSvg: false });
sharp.concurrency(1);

const web = (await loadRecipes(undefined)).get('web').definition;
const recipes = jobs.map(({ recipe }) => (recipe === 'web' ? web : parseRecipe('job', recipe).definition));

const sides = {
	direct: (job, file) => jobs[job].direct(file),
	async engine(job, file) {
		const recipe = recipes[job];
		const { picture, further, levels } = await openPages(file, recipe, limits);
		const made = [];
		await runPipeline(
			{ file, sha256: '0'.repeat(64), picture, further, recipe, levels, concurrency: 1 },
			{ onStep() {}, onVariant: ({ data }) => made.push(data) },
		);
		return made;
	},
};

process.on('message', async ({ job, path }) => {
	const file = await readFile(path);
	const cpu = process.cpuUsage();
	const started = performance.now();
	const made = await sides[side](job, file);
	const wall = performance.now() - started;
	const { user, system } = process.cpuUsage(cpu);
	const bytes = made.reduce((sum, { length }) => sum + length, 0);
	process.send({ wall, cpu: (user + system) / 1_000, bytes });
	// As an imaging process does. Otherwise a collection would happen during one of the next pictures.
	setImmediate(() => globalThis.gc({ type: 'minor' }));
});
process.send('ready');
