/**
 * Generates the reference pages and their pictures from the code, so that they always match it.
 *
 *   node --import tsx scripts/docs.ts [folder]           writes docs/reference, or to another folder
 *   node --import tsx scripts/docs.ts --check [folder]   changes nothing; exits 1 and names the pages that are not what they should be
 */
import { examplePictures } from './docs/example-pictures.ts';
import { makeReference } from './docs/reference.ts';

const { code, stderr } = await makeReference(process.argv.slice(2), examplePictures);
process.stderr.write(stderr);
process.exitCode = code;
