# The server itself, as every observing script returns it.

# Returns the name of the machine's own forest, or an empty text when it is not
# known. Where the known domains are of several forests, or one could not be found,
# it is the forest that the machine's domain is named in.
function Get-ForestName {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $Domain)

    $known = @(Get-KnownForest | Sort-Object -Unique)
    if ($known.Count -eq 1) { return $known[0] }
    $own = @(foreach ($forest in $known) {
        if ($forest -ne '' -and ".$Domain".EndsWith(".$forest", [System.StringComparison]::OrdinalIgnoreCase)) { $forest }
    })
    if ($own.Count -eq 1) { return $own[0] }
    return ''
}

# Scripts call this last, so that the clock is that of the moment of the result.
function Get-Machine {
    [CmdletBinding()]
    param()

    $domain = Get-DomainName
    return [pscustomobject] @{
        name = Get-ComputerName
        domain = $domain
        forest = Get-ForestName -Domain $domain
        windowsBuild = Get-WindowsBuild
        powerShell = [string] $PSVersionTable.PSVersion
        elevated = Test-Elevated
        fips = Test-FipsPolicy
        pendingReboot = Test-PendingReboot
        configurationMode = Get-ConfigurationMode
        clock = Get-MachineTime
    }
}

function Get-ServiceRecord {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Name)

    $running = $false
    foreach ($service in Get-Service -Name $Name -ErrorAction SilentlyContinue) { $running = [string] $service.Status -eq 'Running' }
    $since = $null
    if ($running) { $since = Get-ServiceStart -Name $Name }
    return [pscustomobject] @{ name = $Name; running = $running; since = $since }
}
