/** One line for each thing worth knowing. Codes are stable; messages are for people. */
export function createLog(json: boolean): (code: string, message: string) => void {
  return (code, message) => {
    const at = new Date().toISOString();
    process.stderr.write(
      json ? `${JSON.stringify({ at, code, message })}\n` : `${at.slice(11, 19)} ${code}: ${message}\n`,
    );
  };
}
