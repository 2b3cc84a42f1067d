/*
 * Defaults of the sanitized build only. Leaks are not looked for: the runtime is one short-lived
 * process per verb and non-dumpable, which the leak checker cannot inspect; and options cannot come
 * from the environment, because the runtime starts itself again with an empty one.
 */
#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:abort_on_error=1:handle_abort=0";
}
#else
typedef int asan_is_off;
#endif
