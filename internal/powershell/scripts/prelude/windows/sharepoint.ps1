# What SharePoint's cmdlets cannot return, read from its object model and from SQL
# Server.

# Returns the right of an app principal at the scope of the site subscription, and
# whether it may act without a user, in the same way as Microsoft's own checker.
# Source: Check-SiteMailboxConfig.ps1 in "Configure site mailboxes in
# SharePoint Server".
function Get-AppPermission {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Web,
        [Parameter(Mandatory = $true)] [string] $RegisteredName
    )

    $name = [Microsoft.SharePoint.SPAppPrincipalName]::CreateFromNameIdentifier($RegisteredName)
    $manager = [Microsoft.SharePoint.SPAppPrincipalManager]::GetManager($Web)
    $principal = $manager.LookupAppPrincipal([Microsoft.SharePoint.SPAppPrincipalIdentityProvider]::External, $name)
    if ($null -eq $principal) { return [pscustomobject] @{ Right = ''; AppOnly = $false } }
    $permissions = New-Object Microsoft.SharePoint.SPAppPrincipalPermissionsManager $Web
    $right = [string] $permissions.GetAppPrincipalSiteSubscriptionContentPermission($principal)
    if ($right -notin 'FullControl', 'Manage', 'Write', 'Read') { $right = '' }
    return [pscustomobject] @{ Right = $right; AppOnly = [bool] $permissions.IsAppOnlyPolicyAllowed($principal) }
}

# Returns the connection string of the configuration database, or null when it
# cannot be read, or when it logs on to SQL Server as another account than this one.
# The farm may wait for a connection as long as it likes; a script may not.
# Source: SharePointDsc (SPFarm), which reads the same value; Microsoft does not
# document it.
function Get-ConfigurationString {
    [CmdletBinding()]
    param()

    foreach ($hive in '16', '15') {
        $key = "HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Shared Tools\Web Server Extensions\$hive.0\Secure\ConfigDB"
        try {
            $found = New-Object System.Data.SqlClient.SqlConnectionStringBuilder ([string] [Microsoft.Win32.Registry]::GetValue($key, 'dsn', ''))
            if ($found['Initial Catalog'] -eq '' -or -not $found['Integrated Security']) { continue }
            $found['Connect Timeout'] = 15
            return $found
        }
        catch { continue }
    }
    return $null
}

# Opens the configuration database as this account. Returns the number and the
# message of the error, 0 and an empty text for none, and after error 4060 the state
# of the database, 0 for online and empty when the server does not show it. Returns
# null when it is not known where the database is.
# Source: Microsoft, SqlException.Number; MSSQLSERVER_18456 and 4060.
function Open-ConfigurationDatabase {
    [CmdletBinding()]
    param()

    $string = Get-ConfigurationString
    if ($null -eq $string) { return $null }
    $connection = New-Object System.Data.SqlClient.SqlConnection $string.ToString()
    try {
        $connection.Open()
        return [pscustomobject] @{ Number = 0; Message = ''; State = '0' }
    }
    catch {
        $failure = $_.Exception
        while ($failure -isnot [System.Data.SqlClient.SqlException] -and $null -ne $failure.InnerException) { $failure = $failure.InnerException }
        if ($failure -isnot [System.Data.SqlClient.SqlException]) { return $null }
        $state = ''
        if ($failure.Number -eq 4060) { $state = Get-DatabaseState -String $string }
        return [pscustomobject] @{ Number = [int] $failure.Number; Message = [string] $failure.Message; State = $state }
    }
    finally { $connection.Dispose() }
}

# Returns the state of the database of a connection string as the server lists it, or
# an empty text when it does not.
# Source: Microsoft, sys.databases: state 0 is ONLINE; any login sees the list by
# VIEW ANY DATABASE, unless that was taken from the role public.
function Get-DatabaseState {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $String)

    $master = New-Object System.Data.SqlClient.SqlConnectionStringBuilder $String.ToString()
    $master['Initial Catalog'] = 'master'
    $connection = New-Object System.Data.SqlClient.SqlConnection $master.ToString()
    try {
        $connection.Open()
        $command = $connection.CreateCommand()
        $command.CommandText = 'SELECT CONVERT(int, state) FROM sys.databases WHERE name = @name'
        $null = $command.Parameters.AddWithValue('@name', [string] $String['Initial Catalog'])
        return [string] $command.ExecuteScalar()
    }
    catch { return '' }
    finally { $connection.Dispose() }
}
