\echo Use "CREATE EXTENSION aws_s3" to load this file. \quit

-- What a caller may write as column list or COPY options is cut into tokens and put together again. A token is a name,
-- a quoted name, a number, a string, an E string or one of ( ) , *. Anything else (; -- /* $ U& a WHERE clause …) is
-- refused: COPY runs with the rights of the extension's owner.
CREATE FUNCTION aws_s3._checked(input text, what text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
SET standard_conforming_strings = on
AS $$
DECLARE
    rest text := input;
    result text := '';
    token text;
    word text;
BEGIN
    LOOP
        rest := ltrim(rest, E' \t\r\n');
        EXIT WHEN rest = '';
        token := coalesce(
            substring(rest FROM $re$^[Ee]'(?:[^'\\]|\\.|'')*'(?!')$re$),
            substring(rest FROM $re$^[A-Za-z_][A-Za-z_0-9]*(?!['"&A-Za-z_0-9$])$re$),
            substring(rest FROM $re$^"(?:[^"]|"")+"(?!")$re$),
            substring(rest FROM $re$^'(?:[^']|'')*'(?!')$re$),
            substring(rest FROM $re$^[0-9]+(?:\.[0-9]+)?(?![A-Za-z_0-9.])$re$),
            substring(rest FROM $re$^[(),*]$re$));
        word := lower(token);
        IF token IS NULL OR word IN ('where', 'using')
            OR (what = 'column_list' AND (left(token, 1) IN ('''', '(', ')', '*') OR token ~ $re$^([0-9]|[Ee]')$re$)) THEN
            RAISE EXCEPTION 'aws_s3: % is not allowed here: %', what, left(rest, 40)
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        result := result || token || ' ';
        rest := substr(rest, length(token) + 1);
    END LOOP;
    RETURN result;
END
$$;

CREATE FUNCTION aws_s3._import(
    table_name text, column_list text, options text, s3_info aws_commons._s3_uri_1,
    credentials aws_commons._aws_credentials_1
) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET standard_conforming_strings = on
AS $$
DECLARE
    -- The table's name means what it means to the caller; after these lines nothing is looked up by the caller's path.
    caller_path pg_catalog.text := pg_catalog.current_setting('search_path');
    target pg_catalog.oid := pg_catalog.to_regclass(table_name);
    ignored pg_catalog.text := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    caller pg_catalog.name :=
        CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role')::name END;
    home pg_catalog.text := current_setting('data_directory') || '/../aws/';
    nonce pg_catalog.text := gen_random_uuid()::text;
    columns pg_catalog.text := '';
    request pg_catalog.jsonb;
    answer pg_catalog.jsonb;
    imported pg_catalog.int8;
BEGIN
    IF table_name IS NULL OR column_list IS NULL OR options IS NULL OR s3_info.bucket IS NULL
        OR s3_info.file_path IS NULL THEN
        RAISE EXCEPTION 'aws_s3: table_name, column_list, options, bucket and file_path must not be NULL'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF target IS NULL THEN
        RAISE EXCEPTION 'relation "%" does not exist', table_name USING ERRCODE = 'undefined_table';
    END IF;
    IF NOT has_table_privilege(caller, target, 'INSERT') THEN
        RAISE EXCEPTION 'permission denied for table %', table_name USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF btrim(column_list, E' \t\r\n') <> '' THEN
        columns := '(' || aws_s3._checked(column_list, 'column_list') || ')';
    END IF;
    request := jsonb_build_object('nonce', nonce, 'bucket', s3_info.bucket, 'key', s3_info.file_path,
        'region', s3_info.region, 'credentials', to_jsonb(credentials));
    BEGIN
        EXECUTE format('COPY %s %s FROM PROGRAM %L %s', target::regclass, columns,
            -- the path in a shell's single quotes, the request as hexadecimal digits: nothing to interpret
            $q$'$q$ || replace(home || 'fetch', $q$'$q$, $q$'\''$q$) || $q$' $q$
                || encode(convert_to(request::text, 'UTF8'), 'hex'),
            aws_s3._checked(options, 'options'));
        GET DIAGNOSTICS imported = ROW_COUNT;
    EXCEPTION WHEN external_routine_exception THEN
        answer := pg_read_file(home || 'answers/' || nonce, true)::jsonb;
        RAISE EXCEPTION '%', coalesce(answer ->> 'error', 'aws_s3: ' || SQLERRM)
            USING ERRCODE = 'external_routine_exception', DETAIL = coalesce(answer ->> 'detail', '');
    END;
    answer := pg_read_file(home || 'answers/' || nonce)::jsonb;
    PERFORM set_config('search_path', caller_path, true);
    RETURN format('%s rows imported into relation "%s" from file %s of %s bytes',
        imported, table_name, s3_info.file_path, answer ->> 'bytes');
END
$$;

-- By the rights of the server itself (on RDS: the IAM role of the instance).
CREATE FUNCTION aws_s3.table_import_from_s3(
    table_name text, column_list text, options text, s3_info aws_commons._s3_uri_1
) RETURNS text
LANGUAGE sql VOLATILE
RETURN aws_s3._import(table_name, column_list, options, s3_info, NULL);

-- By keys in the SQL text. As on RDS; better not used.
CREATE FUNCTION aws_s3.table_import_from_s3(
    table_name text, column_list text, options text, s3_info aws_commons._s3_uri_1,
    credentials aws_commons._aws_credentials_1
) RETURNS text
LANGUAGE sql VOLATILE
RETURN aws_s3._import(table_name, column_list, options, s3_info, credentials);

CREATE FUNCTION aws_s3.table_import_from_s3(
    table_name text, column_list text, options text, bucket text, file_path text, region text,
    access_key text DEFAULT NULL, secret_key text DEFAULT NULL, session_token text DEFAULT NULL
) RETURNS text
LANGUAGE sql VOLATILE
RETURN aws_s3._import(table_name, column_list, options, ROW(bucket, file_path, region)::aws_commons._s3_uri_1,
    CASE WHEN access_key IS NOT NULL
        THEN ROW(access_key, secret_key, session_token)::aws_commons._aws_credentials_1 END);

-- As on RDS nobody but a superuser may import until both are granted: USAGE on the schema, EXECUTE on its functions.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3 FROM PUBLIC;
