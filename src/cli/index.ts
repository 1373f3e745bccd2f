#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { packageFolder } from '../programs.ts';
import { refuse } from '../supervisor/exit.ts';
import { addKeys } from './keys.ts';
import { addProcess } from './process.ts';
import { addReindex } from './reindex.ts';
import { addReprocess } from './reprocess.ts';
import { addRoles } from './roles.ts';
import { addSign } from './sign.ts';
import { addUpload } from './upload.ts';
import { addWatch } from './watch.ts';

/** The program `picpipe`. Each command declares its flags and help in a file of its own, and loads the code it runs only when it runs. */

const { version, description } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as {
	version: string;
	description: string;
};

const help = `
Settings are environment variables, or lines of a file .env in the working folder, which start and the roles read.
docs/reference/configuration.md lists all of them. The first ones to know:
  PICPIPE_HOST, PICPIPE_PORT              where the API listens (127.0.0.1:3000)
  PICPIPE_ARENA_HOST, PICPIPE_ARENA_PORT  where Arena listens (127.0.0.1:9000)
  PICPIPE_DATA                            folder for pictures and the built-in Redis (./data)
  PICPIPE_RECIPES                         YAML or JSON file with recipes
  REDIS_URL                               Redis to use; required by api, worker and arena when they run alone

Exit codes: 0 stopped on request, 1 internal error, 2 invalid configuration (standard error has the reasons).`;

/** In the order of `picpipe --help`. */
const commands = [addRoles, addWatch, addReindex, addReprocess, addKeys, addProcess, addUpload, addSign];

const program = new Command('picpipe').description(description).version(version).addHelpText('after', help);
for (const add of commands) add(program);
if (process.argv.length <= 2) program.outputHelp();
else await program.parseAsync().catch(refuse);
