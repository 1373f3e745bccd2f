#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runKeysAdd, runKeysList, runKeysRevoke } from './cli/keys.ts';
import { runProcess } from './cli/process.ts';
import { runReindex } from './cli/reindex.ts';
import { runReprocess } from './cli/reprocess.ts';
import { runSign, type SignFlags } from './cli/sign.ts';
import { runUpload, type UploadFlags } from './cli/upload.ts';
import { runWatch, type WatchFlags } from './cli/watch.ts';
import { packageFolder } from './programs.ts';
import { refuse, runRole } from './supervisor/role.ts';
import { start } from './supervisor/supervisor.ts';

const { version, description } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as {
	version: string;
	description: string;
};

const help = `
Settings are environment variables; docs/reference/configuration.md lists all of them. The first ones to know:
  PICPIPE_PORT, PICPIPE_HOST              where the API listens (127.0.0.1:3000)
  PICPIPE_ARENA_PORT, PICPIPE_ARENA_HOST  where Arena listens (127.0.0.1:9000)
  PICPIPE_DATA                            folder for pictures and for picpipe's own Redis (./data)
  PICPIPE_RECIPES                         YAML or JSON file with recipes
  REDIS_URL                               Redis to use; api, worker and arena run alone need it

Exit codes: 0 stopped as told, 1 something broke, 2 the configuration has to be changed (standard error says how).`;

const reprocessHelp = `
Makes only variants whose digest has changed or whose file is gone, and deletes what the recipe no longer names. It can be
ended at any time and run again. Exit codes: 0 all that are meant are queued or need nothing, 1 some were left (the log says which
and why) or something broke, 2 the configuration has to be changed.`;

const watchHelp = `
A file is taken in when it has not changed for PICPIPE_WATCH_SETTLE_SECONDS; names such as *.part, *.tmp and those that begin with a dot
are passed over. Sub-folders become tags. What is no picture, or turns out to be broken, goes to .picpipe/refused with a note. Links are not
followed. It can be ended at any time and run again: no file becomes two pictures. Without REDIS_URL it uses the Redis of the \`picpipe start\`
that runs on the same PICPIPE_DATA, or runs it as long as it needs it.
Exit codes: 0 stopped as told, or all taken in; 1 with --once: files were set aside or left (the log says which and why), or something
broke; 2 the configuration has to be changed.`;

const keysHelp = `
The first key locks the API: without any, this machine alone is served; with one, everybody needs one. \`keys add\` writes nothing but
the key to standard output: KEY=$(picpipe keys add --name camera --scope upload)`;

const uploadHelp = `
A key, or an upload token, comes from the environment variable PICPIPE_KEY. A run that was ended goes on with the same command: what
is there is not sent again, and large files go on where they were; --fresh begins anew. What is known for that lies below
$XDG_STATE_HOME or ~/.local/state, until a run has come to its end.
Exit codes: 0 all accepted (with --wait: all ready), 1 some were refused or have failed (the table says which and why), 2 nothing could be
begun, or the same is wrong with all, 130 interrupted.`;

const signHelp = `
Options are those of imgproxy, as docs/dialects lists them: picpipe sign rs:fit:300:200/q:80 pic_01jzkwp9nbe0tvahm2q4c8s6rd --format webp
The first pair of PICPIPE_DELIVERY_KEYS signs; the address begins with PICPIPE_URL. Presets are those of PICPIPE_RECIPES. No server is asked.
Exit codes: 0 the address is on standard output, 2 it cannot be made (standard error says why).`;

/** For flags that may be repeated. */
const collect = (value: string, before: string[] = []) => [...before, value];
const openKeys = async () => (await import('./app.ts')).openApiKeys;

const program = new Command('picpipe').description(description).version(version).addHelpText('after', help);

program
	.command('start', { isDefault: true })
	.description('run everything on this machine: api, worker, Arena, and a Redis unless REDIS_URL is set')
	.action(async () => process.exit(await start()));

program
	.command('api')
	.description('run the API alone: takes uploads, answers about pictures, serves them')
	.action(() => runRole('api', async () => (await import('./app.ts')).startApi));

program
	.command('worker')
	.description('run a worker alone: takes pictures from the queue and makes their variants')
	.action(() => runRole('worker', async () => (await import('./app.ts')).startWorker));

program
	.command('arena')
	.description('run Arena alone: shows the queues and their jobs')
	.action(() => runRole('arena', async () => (await import('./app.ts')).startArena));

program
	.command('watch')
	.description('take in every picture that comes to lie in a folder')
	.argument('[folder]', 'the folder; PICPIPE_WATCH otherwise')
	.option('--once', 'take what is there and end')
	.option('--keep', 'leave files where they are; otherwise they are moved to .picpipe/done in the folder')
	.option('--recipe <name>', 'recipe of the pictures')
	.option('--duplicates <what>', 'what becomes of bytes that are there already: accept, refuse, link or dedupe')
	.addHelpText('after', watchHelp)
	.action(async (folder: string | undefined, flags: WatchFlags) => {
		const code = await runWatch(folder, flags, () => import('./app.ts'));
		if (code !== undefined) process.exit(code);
	});

program
	.command('reindex')
	.description('rebuild the index in Redis from the manifests in storage')
	.action(async () => {
		await runReindex(async () => (await import('./app.ts')).reindex);
		process.exit(0);
	});

program
	.command('reprocess')
	.description('queue pictures again with their recipes as they are now, behind all other work')
	.option('--recipe <name>', 'only pictures of this recipe')
	.option('--stale', 'only pictures whose recipe has changed since they were made')
	.option('--force', 'make every variant again, also those that are there')
	.addHelpText('after', reprocessHelp)
	.action(async (flags) => process.exit(await runReprocess(flags, async () => (await import('./app.ts')).reprocess)));

const keys = program
	.command('keys')
	.description('make, list and revoke API keys; they live in the storage, no Redis is needed')
	.addHelpText('after', keysHelp);

keys
	.command('add')
	.description('make a key and show it, once')
	.requiredOption('--name <name>', 'who it is for')
	.requiredOption('--scope <scopes>', 'what it may: upload, read, admin; several with commas', collect)
	.option('--recipe <names>', 'recipes that it may use, with commas; all otherwise', collect)
	.option('--rate <requests/time>', 'most requests in a time, such as 60/min or 5/s')
	.option('--concurrency <number>', 'most requests at the same time')
	.option('--per-day <number>', 'most pictures a day (UTC)')
	.action((flags) => runKeysAdd(flags, openKeys));

keys
	.command('list')
	.description('list all keys, revoked ones too')
	.option('--json', 'as JSON')
	.action((flags) => runKeysList(flags, openKeys));

keys
	.command('revoke')
	.description('revoke a key for good, and the upload tokens made with it')
	.argument('<id>', 'id of the key, or its name')
	.action((id) => runKeysRevoke(id, openKeys));

program
	.command('process')
	.description('make variants of files on this machine, without queue or server')
	.argument('<paths...>', 'pictures, and folders whose pictures are all taken')
	.requiredOption('--out <folder>', 'where the variants go, as <name>-<variant>.<extension>')
	.option('--recipe <name>', 'recipe to make; the default one otherwise')
	.addHelpText(
		'after',
		'\nExit codes: 0 all made, 1 some failed (the table says which and why), 2 nothing could be begun.',
	)
	.action(async (paths: string[], flags) =>
		process.exit(await runProcess({ paths, ...flags }, async () => (await import('./app.ts')).processFiles)),
	);

program
	.command('upload')
	.description('upload files, folders and addresses of pictures to a running api')
	.argument('<sources...>', 'pictures, folders whose pictures are all taken, and addresses (https://…)')
	.option('--api <url>', 'address of the api; PICPIPE_URL otherwise, or http://127.0.0.1:3000')
	.option('--recipe <name>', 'recipe of the pictures')
	.option('--tags <tags>', 'tags, with commas', collect)
	.option('--priority <number>', '0 (first come, first served) or 1 (most urgent) to 1000')
	.option('--duplicates <what>', 'what becomes of bytes that are there already: accept, refuse, link or dedupe')
	.option('--batch <id>', 'batch that the pictures are to belong to')
	.option('--parallel <number>', 'uploads at the same time', '4')
	.option('--wait', 'wait until all pictures are ready or failed; the key has to be one that may read')
	.option('--fresh', 'begin anew, whatever an interrupted run has done')
	.option('--json', 'results as JSON instead of a table')
	.addHelpText('after', uploadHelp)
	.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
	.action(async (sources: string[], flags: UploadFlags) =>
		process.exit(await runUpload(sources, flags, async () => (await import('./app.ts')).uploadFiles)),
	);

program
	.command('sign')
	.description('sign the address of a picture that is made on demand, and print it')
	.argument('<options>', 'what is to be made, such as rs:fit:300:200/q:80')
	.argument('<source>', 'id of a picture, or its address (https://…)')
	.option('--format <format>', 'format of the result, such as webp')
	.option('--expires <seconds>', 'seconds from now after which the address is refused')
	.addHelpText('after', signHelp)
	.action((options: string, source: string, flags: SignFlags) => runSign(options, source, flags));

await program.parseAsync().catch(refuse);
