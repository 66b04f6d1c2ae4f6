# Stand-ins for what only Windows can do when the SharePoint task is installed.

function Test-Administrator { return $true }

function Get-AccountSid {
    param([Parameter(Mandatory = $true)] [string] $Account)

    if ($Account -ne 'CONTOSO\farmtrust-sp$') { throw 'Some or all identity references could not be translated.' }
    return 'S-1-5-21-1-2-3-1105'
}

function Set-ClosedFolder {
    param([Parameter(Mandatory = $true)] [string] $Path, [Parameter(Mandatory = $true)] [object[]] $Access)

    $null = [System.IO.Directory]::CreateDirectory($Path)
    $world = Get-World
    $entries = @(foreach ($entry in $Access) { [pscustomobject] @{ Sid = $entry.Sid; Rights = $entry.Rights } })
    Add-Member -InputObject $world.folders -MemberType NoteProperty -Name $Path -Value $entries -Force
    Set-World $world
}

function Get-ValidSigner {
    param([Parameter(Mandatory = $true)] [string] $Path)

    if (-not [System.IO.File]::Exists($Path) -or (Get-World).signature -ne 'Valid') { return $null }
    return [pscustomobject] @{ Subject = 'CN=Contoso Code Signing' }
}

function Add-TrustedPublisher {
    param([Parameter(Mandatory = $true)] [object] $Certificate)

    $world = Get-World
    $world.publishers = @($world.publishers) + $Certificate.Subject
    Set-World $world
}
