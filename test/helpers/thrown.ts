import { PicpipeError } from '../../src/errors.ts';

/** The error with a row that the work ends in. Anything else that is thrown is thrown on. */
export async function thrownBy(work: () => unknown): Promise<PicpipeError> {
	try {
		await work();
	} catch (error) {
		if (error instanceof PicpipeError) return error;
		throw error;
	}
	throw new Error('Expected an error but nothing was thrown.');
}
