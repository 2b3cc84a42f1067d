/*
 * Calendar arithmetic for stamp.h. The C library's gmtime reads time zone files, and would do so in
 * every shim; days since the epoch need only a little arithmetic (proleptic Gregorian calendar,
 * years counted from March so that the leap day comes last).
 */
#include "stamp.h"

#include <stdint.h>

static void put_digits(char *out, uint32_t value, int count)
{
	for (int i = count - 1; i >= 0; i--) {
		out[i] = (char)('0' + value % 10);
		value /= 10;
	}
}

void stamp_format(struct timespec time, char out[STAMP_BYTES])
{
	uint64_t seconds = time.tv_sec > 0 ? (uint64_t)time.tv_sec : 0;
	uint32_t of_day = (uint32_t)(seconds % 86400);
	/* Days since 1 March of the year 0. */
	uint32_t days = (uint32_t)(seconds / 86400) + 719468;
	uint32_t era = days / 146097, of_era = days % 146097;
	uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint32_t month = (5 * of_year + 2) / 153; /* 0 = March */
	uint32_t day = of_year - (153 * month + 2) / 5 + 1;

	year += era * 400 + (month >= 10);
	month = month < 10 ? month + 3 : month - 9;
	put_digits(out, year, 4);
	out[4] = '-';
	put_digits(out + 5, month, 2);
	out[7] = '-';
	put_digits(out + 8, day, 2);
	out[10] = 'T';
	put_digits(out + 11, of_day / 3600, 2);
	out[13] = ':';
	put_digits(out + 14, of_day / 60 % 60, 2);
	out[16] = ':';
	put_digits(out + 17, of_day % 60, 2);
	out[19] = '.';
	put_digits(out + 20, (uint32_t)time.tv_nsec, 9);
	out[29] = 'Z';
}
