/* The `nilo` command. */
#ifndef NILO_CLI_CLI_H
#define NILO_CLI_CLI_H

/* Runs the command that the arguments name; returns the process's exit status: 0 done, 1 failed, 2
 * used wrongly. */
int cli_main(int argc, char **argv, char **environment);

#endif
