import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const tsc = (cwd: string, ...options: string[]) =>
	run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options], { cwd });

it('picpipe/url is a typed module for programs that use nothing else of picpipe', async () => {
	const folder = await temporaryFolder();
	const installed = join(folder, 'node_modules', 'picpipe');
	await mkdir(installed, { recursive: true });
	await copyFile(join(root, 'package.json'), join(installed, 'package.json'));
	// As it is shipped, built from the source of this moment (`setup.ts`).
	await cp(join(root, 'dist'), join(installed, 'dist'), { recursive: true });
	await symlink(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'));
	const settings = ['--module', 'nodenext', '--strict', '--outDir', folder, '--rootDir', folder];

	const call = (source: string) =>
		`import { imageUrl, type Signing } from 'picpipe/url';
		const signing: Signing = { base: 'https://pictures.example.org', key: '${'ab'.repeat(16)}', salt: '${'cd'.repeat(16)}' };
		const url: string = imageUrl(signing, ${source}, { rs: 'fit:300:200', q: 80 }, 'webp');
		console.log(url);\n`;
	const right = join(folder, 'right.mts');
	await writeFile(right, call("'pic_01jzkwp9nbe0tvahm2q4c8s6rd'"));
	await tsc(folder, ...settings, '--types', 'node', right);
	const { stdout } = await run(process.execPath, [join(folder, 'right.mjs')]);
	expect(stdout).toMatch(
		/^https:\/\/pictures\.example\.org\/img\/[\w-]{43}\/rs:fit:300:200\/q:80\/plain\/pic_01jzkwp9nbe0tvahm2q4c8s6rd@webp\n$/,
	);

	const wrong = join(folder, 'wrong.mts');
	await writeFile(wrong, call('5'));
	await expect(tsc(folder, ...settings, '--types', 'node', '--noEmit', wrong)).rejects.toMatchObject({
		stdout: expect.stringContaining("'number' is not assignable to parameter of type 'string'"),
	});
});
