// SPDX-License-Identifier: BSD-3-Clause
// Part of visp-dataplane in builds with AddressSanitizer only (meson.build chooses).

// The sanitizer asks the program for its options by this name.
const char *__asan_default_options(void);

// The search for leaks at the end traces its own process, which the system-call filter forbids, and
// waits for that forever. Tests of the parts look for leaks; they have no filter.
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
